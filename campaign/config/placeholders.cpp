#include "campaign/config/placeholders.hpp"

#include <algorithm>
#include <stdexcept>

#include "campaign/config/nearest.hpp"

namespace campaign {
namespace {

const std::vector<std::string>& known_names() {
  static const std::vector<std::string> names = {"config",     "results",  "metrics", "run_id",
                                                 "experiment", "campaign", "cycle",   "attempt",
                                                 "gpus",       "exchange"};
  return names;
}

bool known(std::string_view name) {
  return std::find(known_names().begin(), known_names().end(), name) != known_names().end();
}

bool name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

bool is_name(std::string_view text) {
  const bool begins = !text.empty() && name_char(text[0]) && text[0] != '.' && text[0] != '-';
  return begins && std::all_of(text.begin(), text.end(), name_char);
}

void collect_keys(const Value& value, const std::string& prefix, std::vector<std::string>& keys) {
  for (const auto& [key, member] : value.members()) {
    keys.push_back(prefix + key);
    collect_keys(member, prefix + key + ".", keys);
  }
}

std::vector<std::string> keys_of(const Value& value) {
  std::vector<std::string> keys;
  collect_keys(value, "", keys);
  return keys;
}

std::string print(const Value& value) {
  return value.is_scalar() ? value.written() : to_json(value);
}

// What one pair of braces stands for.
struct Piece {
  enum class Kind { literal, value, text, option } kind = Kind::literal;
  const Value* value = nullptr;  // value, option (nullptr: not set)
  std::string text;              // text: what is filled in; option: the flag
};

[[noreturn]] void fail(std::string_view inside, const std::string& why) {
  throw std::runtime_error("{" + std::string(inside.substr(0, 80)) + "}: " + why);
}

Piece look_up(std::string_view inside, std::string_view key, const Value* values) {
  const bool parameter = inside.starts_with("p.");
  if (!is_name(key)) {
    fail(inside, parameter ? "expected {p.KEY} or {p.KEY?--flag}" : "expected {vars.NAME}");
  }
  if (!values) return {};
  if (const Value* found = values->at_path(key)) return {Piece::Kind::value, found, {}};
  const std::string what = parameter ? "no such parameter" : "no such variable";
  fail(inside, what + did_you_mean(key, keys_of(*values)));
}

Piece optional_parameter(std::string_view inside, std::size_t mark, const Value* values) {
  const std::string_view key = inside.substr(2, mark - 2), flag = inside.substr(mark + 1);
  if (!is_name(key) || flag.empty()) fail(inside, "expected {p.KEY?--flag}");
  if (!values) return {};
  const Value* found = values->at_path(key);
  if (found && found->is_null()) found = nullptr;
  return {Piece::Kind::option, found, std::string(flag)};
}

void warn_if_near(std::string_view inside, Expansion* report) {
  if (!report || inside.size() > 40) return;
  std::string meant;
  for (const std::string& name : known_names()) {
    if (edit_distance(inside, name) <= (name.size() > 4 ? 2 : 1)) meant = name;
  }
  if (inside.starts_with("var.")) meant = "vars." + std::string(inside.substr(4));
  if (inside.starts_with("P.")) meant = "p." + std::string(inside.substr(2));
  if (inside.starts_with("param.")) meant = "p." + std::string(inside.substr(6));
  if (meant.empty()) return;
  report->warnings.push_back("{" + std::string(inside) + "} is left as it is; did you mean `{" +
                             meant + "}`?");
}

Piece resolve(std::string_view inside, const Placeholders& with, Expansion* report) {
  if (inside.starts_with("p.")) {
    const auto mark = inside.find('?');
    if (mark != inside.npos) return optional_parameter(inside, mark, with.parameters);
    return look_up(inside, inside.substr(2), with.parameters);
  }
  if (inside.starts_with("vars.")) return look_up(inside, inside.substr(5), with.vars);
  if (known(inside)) {
    const auto filled = with.names.find(std::string(inside));
    if (filled == with.names.end()) return {};
    return {Piece::Kind::text, nullptr, filled->second};
  }
  warn_if_near(inside, report);
  return {};
}

std::string print(const Piece& piece) {
  switch (piece.kind) {
    case Piece::Kind::value:
      return print(*piece.value);
    case Piece::Kind::text:
      return piece.text;
    case Piece::Kind::option:
      return piece.value ? piece.text + " " + print(*piece.value) : "";
    case Piece::Kind::literal:
      break;
  }
  return "";
}

// "{{name}}" at `at` stands for "{name}": the name, or "".
std::string_view escaped(std::string_view text, std::size_t at) {
  if (!text.substr(at).starts_with("{{")) return {};
  const auto end = text.find("}}", at);
  if (end == text.npos) return {};
  const auto inside = text.substr(at + 2, end - at - 2);
  return is_name(inside.substr(0, inside.find('?'))) ? inside : std::string_view{};
}

// What stands between the brace at `at` and the next closing one; none where there is another brace
// before it.
std::optional<std::string_view> braced(std::string_view text, std::size_t at) {
  const auto end = text.find_first_of("{}", at + 1);
  if (end != text.npos && text[end] == '}') return text.substr(at + 1, end - at - 1);
  const auto rest = text.substr(at + 1);
  if (!rest.starts_with("p.") && !rest.starts_with("vars.")) return std::nullopt;
  throw std::runtime_error("{" + std::string(rest.substr(0, 20)) +
                           ": the closing brace is missing");
}

// The one placeholder that `text` consists of.
std::optional<Piece> sole(std::string_view text, const Placeholders& with, Expansion* report) {
  if (text.size() < 3 || text[0] != '{' || text.find_first_of("{}", 1) != text.size() - 1 ||
      text.back() != '}') {
    return std::nullopt;
  }
  Piece piece = resolve(text.substr(1, text.size() - 2), with, report);
  if (piece.kind == Piece::Kind::literal) return std::nullopt;
  return piece;
}

}  // namespace

std::string expand(std::string_view text, const Placeholders& with, Expansion* report) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '{' || (at > 0 && text[at - 1] == '$')) {
      out += text[at];
      continue;
    }
    if (const auto name = escaped(text, at); !name.empty()) {
      out += '{' + std::string(name) + '}';
      at += name.size() + 3;
      continue;
    }
    const auto inside = braced(text, at);
    const Piece piece = inside ? resolve(*inside, with, report) : Piece{};
    if (piece.kind == Piece::Kind::literal) {
      out += '{';
      continue;
    }
    out += print(piece);
    at += inside->size() + 1;
  }
  return out;
}

std::vector<std::string> expand_argv(const std::vector<std::string>& argv, const Placeholders& with,
                                     Expansion* report) {
  std::vector<std::string> out;
  for (const std::string& element : argv) {
    const auto piece =
        element.find('?') == element.npos ? std::nullopt : sole(element, with, nullptr);
    if (!piece || piece->kind != Piece::Kind::option) {
      out.push_back(expand(element, with, report));
    } else if (piece->value) {
      out.push_back(piece->text);
      out.push_back(print(*piece->value));
    }
  }
  return out;
}

Value expand_value(const Value& value, const Placeholders& with, Expansion* report) {
  Value out = value;
  if (value.kind() == Value::Kind::string) {
    const auto piece = sole(value.as_string(), with, nullptr);
    out = piece && piece->kind == Piece::Kind::value
              ? *piece->value
              : Value::string(expand(value.as_string(), with, report));
    out.set_origin(value.origin());
  }
  for (Value& item : out.items()) {
    if (value.is_list()) item = expand_value(item, with, report);
  }
  for (auto& [key, member] : out.members()) {
    if (value.is_map()) member = expand_value(member, with, report);
  }
  return out;
}

}  // namespace campaign
