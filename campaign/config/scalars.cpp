#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "campaign/config/decoder.hpp"
#include "campaign/config/nearest.hpp"
#include "campaign/config/placeholders.hpp"
#include "campaign/config/words.hpp"

namespace campaign {
namespace {

constexpr double longest_duration = 365.0 * 86400;
constexpr double largest_size = 9007199254740992.0;  // 2^53: 8 PiB

std::string brief(double value) {
  if (std::nearbyint(value) == value && std::fabs(value) < 1e15) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  return Value::real(value).written();
}

std::string range(const Field& field) {
  if (field.least && field.most)
    return " from " + brief(*field.least) + " to " + brief(*field.most);
  if (field.least) return " of at least " + brief(*field.least);
  return "";
}

bool outside(const Field& field, double value) {
  return (field.least && value < *field.least) || (field.most && value > *field.most);
}

std::string listed(const std::vector<std::string>& choices) {
  std::string text;
  for (const std::string& choice : choices) text += (text.empty() ? "`" : ", `") + choice + "`";
  return text;
}

bool is_text(const Value& value) {
  return value.kind() == Value::Kind::string || value.kind() == Value::Kind::integer ||
         value.kind() == Value::Kind::real;
}

bool alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string describe(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null:
      return "nothing";
    case Value::Kind::list:
      return "a list";
    case Value::Kind::map:
      return "a map";
    case Value::Kind::string:
      break;
    default:
      return value.written();
  }
  std::string text = value.as_string();
  if (text.size() > 40) {
    std::size_t cut = 37;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
    text = text.substr(0, cut) + "...";
  }
  return to_json(Value::string(text));
}

std::optional<bool> Decoder::boolean(const Value& value) {
  if (value.kind() == Value::Kind::boolean) return value.as_boolean();
  fail(value, "expected true or false, not " + describe(value));
  return std::nullopt;
}

std::optional<std::int64_t> Decoder::integer(const Field& field, const Value& value) {
  if (value.kind() == Value::Kind::integer && !outside(field, value.as_real()))
    return value.as_integer();
  fail(value, "expected an integer" + range(field) + ", not " + describe(value));
  return std::nullopt;
}

std::optional<std::uint64_t> Decoder::unsigned_integer(const Value& value) {
  std::uint64_t number = 0;
  const std::string& text = value.written();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool fits = value.is_scalar() && error == std::errc() && end == text.data() + text.size();
  if (fits && (value.kind() == Value::Kind::integer || value.plain())) return number;
  fail(value, "expected an integer from 0 to 18446744073709551615, not " + describe(value));
  return std::nullopt;
}

std::optional<double> Decoder::number(const Field& field, const Value& value) {
  const bool numeric = value.kind() == Value::Kind::integer || value.kind() == Value::Kind::real;
  if (numeric && !outside(field, value.as_real())) return value.as_real();
  fail(value, "expected a number" + range(field) + ", not " + describe(value));
  return std::nullopt;
}

std::optional<double> Decoder::duration(const Field& field, const Value& value) {
  std::optional<double> seconds;
  if (value.kind() == Value::Kind::string) seconds = parse_duration(value.as_string());
  if (value.kind() == Value::Kind::integer || value.kind() == Value::Kind::real)
    seconds = value.as_real();
  const char* expected = "expected seconds or a duration such as 90s, 30m or 1h30m, not ";
  if (!seconds) {
    fail(value, expected + describe(value));
  } else if (*seconds < 0 || *seconds > longest_duration || outside(field, *seconds)) {
    const std::string least = field.least ? brief(*field.least) + " s" : "0";
    fail(value, "expected a duration from " + least + " to 365d, not " + describe(value));
    seconds.reset();
  }
  return seconds;
}

std::optional<std::int64_t> Decoder::size(const Field& field, const Value& value) {
  std::optional<double> bytes;
  if (value.kind() == Value::Kind::string) bytes = parse_size(value.as_string());
  if (value.kind() == Value::Kind::integer) bytes = value.as_real();
  if (!bytes || *bytes < 0 || *bytes > largest_size) {
    fail(value, "expected bytes or a size such as 512m or 4g, not " + describe(value));
    return std::nullopt;
  }
  if (outside(field, *bytes)) {
    fail(value,
         "expected a size of at least " + brief(*field.least) + " bytes, not " + describe(value));
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*bytes);
}

std::optional<std::string> Decoder::text(const Field& field, const Value& value) {
  if (!is_text(value) || value.written().empty()) {
    fail(value, "expected a text, not " + describe(value));
    return std::nullopt;
  }
  if (field.templated) check_template(value, value.written());
  return value.written();
}

std::optional<std::size_t> Decoder::choice(const Field& field, const Value& value) {
  const std::string& text = value.written();
  const auto found = std::find(field.choices.begin(), field.choices.end(), text);
  if (value.is_scalar() && found != field.choices.end()) {
    return static_cast<std::size_t>(found - field.choices.begin());
  }
  if (std::find(field.later.begin(), field.later.end(), text) != field.later.end()) {
    fail(value, "`" + field.name + ": " + text + "` is not supported yet");
    return std::nullopt;
  }
  fail(value, "expected one of " + listed(field.choices) + ", not " + describe(value) +
                  (value.is_scalar() ? did_you_mean(text, field.choices) : ""));
  return std::nullopt;
}

std::optional<std::vector<std::string>> Decoder::strings(const Field& field, const Value& value) {
  if (is_text(value)) {
    const auto one = text(field, value);
    return one ? std::optional(std::vector<std::string>{*one}) : std::nullopt;
  }
  if (!is_list(value, "a list of texts")) return std::nullopt;
  std::vector<std::string> out;
  for (std::size_t i = 0; i < value.items().size(); ++i) {
    const Scope scope(*this, index(i));
    const auto one = text(field, value.items()[i]);
    if (one) out.push_back(*one);
  }
  return out;
}

std::optional<std::vector<std::string>> Decoder::files(const Field& field, Value& value) {
  if (!strings(field, value)) return std::nullopt;
  if (!value.is_list()) {
    const Origin origin = value.origin();
    value = Value::list({value});
    value.set_origin(origin);
  }
  std::vector<std::string> out;
  for (std::size_t i = 0; i < value.items().size(); ++i) {
    const Scope scope(*this, index(i));
    Value& item = value.items()[i];
    if (!item.is_scalar()) continue;
    const Origin origin = item.origin();
    item = Value::string(absolute(item.written()));
    item.set_origin(origin);
    if (fresh() && !std::filesystem::exists(item.as_string()))
      fail(item, "no such file: " + item.as_string());
    out.push_back(item.as_string());
  }
  return out;
}

std::optional<std::vector<std::string>> Decoder::argv(const Field& field, const Value& value) {
  std::vector<std::string> words;
  const Value* shell = field.name == "command" && map() ? map()->find("shell") : nullptr;
  const bool whole = shell && shell->kind() == Value::Kind::boolean && shell->as_boolean();
  if (value.kind() == Value::Kind::string) {
    check_template(value, value.as_string());
    if (whole) return std::vector<std::string>{value.as_string()};
    try {
      words = split_words(value.as_string());
    } catch (const std::runtime_error& e) {
      fail(value, std::string("cannot be split into words: ") + e.what());
      return std::nullopt;
    }
    if (const std::string sign = shell_operator(words); !sign.empty()) {
      const bool can = field.name == "command";
      warn(value, "`" + sign + "` is handed on as a word; for a shell command " +
                      (can ? "say `shell: true`" : "write [sh, -c, \"...\"]"));
    }
  } else if (whole) {
    fail(value, "with `shell: true` expected one text, not " + describe(value));
    return std::nullopt;
  } else if (!is_list(value, "a command: a list of words, or one text")) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < value.items().size(); ++i) {
    const Scope scope(*this, index(i));
    const Value& item = value.items()[i];
    if (!item.is_scalar() || item.is_null()) fail(item, "expected a word, not " + describe(item));
    check_template(item, item.written());
    words.push_back(item.written());
  }
  if ((words.empty() || words[0].empty()) && field.name != "entrypoint") {
    fail(value, "expected a command, not an empty one");
    return std::nullopt;
  }
  return words;
}

bool Decoder::is_map(const Value& value, const char* expected) {
  if (!value.is_map())
    fail(value, std::string("expected ") + expected + ", not " + describe(value));
  return value.is_map();
}

bool Decoder::is_list(const Value& value, const char* expected) {
  if (!value.is_list())
    fail(value, std::string("expected ") + expected + ", not " + describe(value));
  return value.is_list();
}

void Decoder::check_template(const Value& at, std::string_view text) {
  static const Value no_vars = Value::map({});
  Placeholders with;
  with.vars = source_.vars ? source_.vars : &no_vars;
  Expansion report;
  try {
    expand(text, with, &report);
  } catch (const std::runtime_error& e) {
    fail(at, e.what());
  }
  for (const std::string& warning : report.warnings) warn(at, warning);
}

void Decoder::check_templates(const Value& tree) {
  if (tree.kind() == Value::Kind::string) check_template(tree, tree.as_string());
  for (std::size_t i = 0; i < tree.items().size(); ++i) {
    const Scope scope(*this, index(i));
    check_templates(tree.items()[i]);
  }
  for (const auto& [key, member] : tree.members()) {
    const Scope scope(*this, key);
    check_templates(member);
  }
}

bool Decoder::check_name(const Value& at, const std::string& name, std::size_t longest) {
  const bool valid = !name.empty() && name.size() <= longest && alphanumeric(name[0]) &&
                     std::all_of(name.begin(), name.end(), [](char c) {
                       return alphanumeric(c) || c == '.' || c == '_' || c == '-';
                     });
  if (!valid) {
    fail(at,
         "expected a name of letters, digits, `.`, `_` and `-` that begins with a letter or digit, "
         "at most " +
             std::to_string(longest) + " long, not " + describe(Value::string(name)));
  }
  return valid;
}

}  // namespace campaign
