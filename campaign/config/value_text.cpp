#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "campaign/config/value.hpp"

namespace campaign {
namespace {

constexpr std::size_t deepest = 200;

// The length of the UTF-8 sequence at `at`, 0 where it is none (overlong and surrogate forms
// included).
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  const unsigned head = byte(0);
  if (head < 0x80) return 1;
  if (head >= 0xC2 && head <= 0xDF && tail(1)) return 2;
  if ((head & 0xF0) == 0xE0 && tail(1) && tail(2)) {
    const bool bad = (head == 0xE0 && byte(1) < 0xA0) || (head == 0xED && byte(1) > 0x9F);
    return bad ? 0 : 3;
  }
  if (head >= 0xF0 && head <= 0xF4 && tail(1) && tail(2) && tail(3)) {
    const bool bad = (head == 0xF0 && byte(1) < 0x90) || (head == 0xF4 && byte(1) > 0x8F);
    return bad ? 0 : 4;
  }
  return 0;
}

char short_escape(char c) {
  switch (c) {
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '\n':
      return 'n';
    case '\t':
      return 't';
    case '\r':
      return 'r';
    default:
      return 0;
  }
}

void append_hex(std::string& out, unsigned code) {
  char buffer[8];
  std::snprintf(buffer, sizeof buffer, "\\u%04x", code);
  out += buffer;
}

// U+0085, U+2028, U+2029 are line breaks and U+FEFF is a mark to YAML readers; U+0080..U+009F,
// U+FFFE and U+FFFF are not printable to them.
bool needs_escape(unsigned code) {
  return (code >= 0x7F && code <= 0x9F) || code == 0x2028 || code == 0x2029 || code == 0xFEFF ||
         code >= 0xFFFE;
}

void append_sequence(std::string& out, std::string_view sequence) {
  unsigned code = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 2) code &= 0x1F;
  if (sequence.size() == 3) code &= 0x0F;
  for (std::size_t i = 1; i < sequence.size() && sequence.size() < 4; ++i) {
    code = (code << 6) | (static_cast<unsigned char>(sequence[i]) & 0x3F);
  }
  if (sequence.size() < 4 && needs_escape(code)) {
    append_hex(out, code);
  } else {
    out += sequence;
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const char c = text[at];
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (const char escape = short_escape(c)) {
      out += '\\';
      out += escape;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      append_hex(out, static_cast<unsigned char>(c));
    } else {
      append_sequence(out, text.substr(at, length));
    }
    at += std::max<std::size_t>(length, 1);
  }
  out += '"';
}

std::string shortest_real(double value) { return Value::real(value).written(); }

void append_real(std::string& out, const Value& value, bool as_written) {
  if (!std::isfinite(value.as_real())) {
    append_quoted(out, shortest_real(value.as_real()));
  } else {
    out += as_written ? value.written() : shortest_real(value.as_real());
  }
}

std::vector<const Value::Map::value_type*> ordered(const Value::Map& members, bool sorted) {
  std::vector<const Value::Map::value_type*> pointers;
  for (const auto& member : members) pointers.push_back(&member);
  if (sorted) {
    std::sort(pointers.begin(), pointers.end(),
              [](auto* a, auto* b) { return a->first < b->first; });
  }
  return pointers;
}

void append_json(std::string& out, const Value& value, bool canonical) {
  switch (value.kind()) {
    case Value::Kind::null:
      out += "null";
      return;
    case Value::Kind::boolean:
      out += value.as_boolean() ? "true" : "false";
      return;
    case Value::Kind::integer:
      out += canonical ? std::to_string(value.as_integer()) : value.written();
      return;
    case Value::Kind::real:
      return append_real(out, value, !canonical);
    case Value::Kind::string:
      return append_quoted(out, value.as_string());
    case Value::Kind::list: {
      out += '[';
      for (const Value& item : value.items()) {
        if (&item != &value.items().front()) out += ',';
        append_json(out, item, canonical);
      }
      out += ']';
      return;
    }
    case Value::Kind::map:
      break;
  }
  out += '{';
  for (const auto* member : ordered(value.members(), canonical)) {
    if (out.back() != '{') out += ',';
    append_quoted(out, member->first);
    out += ':';
    append_json(out, member->second, canonical);
  }
  out += '}';
}

std::string yaml_real(double value) {
  if (!std::isfinite(value)) return shortest_real(value);
  std::string text = shortest_real(value);
  const auto exponent = text.find('e');
  if (exponent != text.npos && text.find('.') == text.npos) text.insert(exponent, ".0");
  return text;
}

bool is_block(const Value& value) {
  return (value.is_list() && !value.items().empty()) ||
         (value.is_map() && !value.members().empty());
}

void append_yaml(std::string& out, const Value& value, std::size_t indent);

void append_yaml_child(std::string& out, const Value& child, std::size_t indent) {
  if (is_block(child)) {
    out += '\n';
    append_yaml(out, child, indent);
  } else {
    out += ' ';
    append_yaml(out, child, indent);
    out += '\n';
  }
}

void append_yaml_key(std::string& out, const std::string& key) {
  const bool simple = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || c == '_';
  });
  const bool word = key == "yes" || key == "no" || key == "on" || key == "off" || key == "true" ||
                    key == "false" || key == "null" || key == "y" || key == "n";
  if (simple && !word) {
    out += key;
  } else {
    append_quoted(out, key);
  }
}

void append_yaml(std::string& out, const Value& value, std::size_t indent) {
  if (value.kind() == Value::Kind::real) {
    out += yaml_real(value.as_real());
  } else if (!is_block(value)) {
    append_json(out, value, true);
  } else if (value.is_list()) {
    for (const Value& item : value.items()) {
      out.append(indent, ' ') += '-';
      append_yaml_child(out, item, indent + 2);
    }
  } else {
    for (const auto& [key, member] : value.members()) {
      out.append(indent, ' ');
      append_yaml_key(out, key);
      out += ':';
      append_yaml_child(out, member, indent + 2);
    }
  }
}

class ValueBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return put(Value::null()); }
  bool boolean(bool b) override { return put(Value::boolean(b)); }
  bool number_integer(number_integer_t i) override { return put(Value::integer(i)); }
  bool number_unsigned(number_unsigned_t u) override {
    return put(Value::plain_scalar(std::to_string(u)));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return put(Value::plain_scalar(text));
  }
  bool string(string_t& text) override { return put(Value::string(text)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Value::map({})); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Value::list({})); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    keys_.back() = name;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& e) override {
    throw std::runtime_error("JSON, byte " + std::to_string(position) + ": " + e.what());
  }
  Value take() { return std::move(result_); }

 private:
  bool put(Value value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (open_.back().is_list()) {
      open_.back().items().push_back(std::move(value));
    } else {
      open_.back().members().emplace_back(keys_.back(), std::move(value));
    }
    return true;
  }
  bool open(Value value) {
    if (open_.size() >= deepest) throw std::runtime_error("JSON: nested deeper than 200 levels");
    open_.push_back(std::move(value));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Value value = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    return put(std::move(value));
  }

  std::vector<Value> open_;
  std::vector<std::string> keys_;
  Value result_;
};

}  // namespace

std::string canonical_json(const Value& value) {
  std::string out;
  append_json(out, value, true);
  return out;
}

std::string to_json(const Value& value) {
  std::string out;
  append_json(out, value, false);
  return out;
}

Value from_json(std::string_view text) {
  ValueBuilder builder;
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

std::string to_yaml(const Value& value) {
  std::string out;
  append_yaml(out, value, 0);
  if (!is_block(value)) out += '\n';
  return out;
}

}  // namespace campaign
