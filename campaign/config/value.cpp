#include "campaign/config/value.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <limits>

namespace campaign {
namespace {

bool digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view without_sign(std::string_view text) {
  return !text.empty() && (text[0] == '-' || text[0] == '+') ? text.substr(1) : text;
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> prefixed_integer(std::string_view text) {
  if (text.size() < 3 || text[0] != '0' || text[2] == '-') return std::nullopt;
  if (text[1] == 'x') return parse_integer(text.substr(2), 16);
  if (text[1] == 'o') return parse_integer(text.substr(2), 8);
  return std::nullopt;
}

bool looks_real(std::string_view text) {
  text = without_sign(text);
  const auto exponent = text.find_first_of("eE");
  if (exponent != text.npos && !digits(without_sign(text.substr(exponent + 1)))) return false;
  const auto mantissa = text.substr(0, exponent);
  const auto point = mantissa.find('.');
  if (point == mantissa.npos) return exponent != text.npos && digits(mantissa);
  const auto whole = mantissa.substr(0, point), fraction = mantissa.substr(point + 1);
  return (whole.empty() ? digits(fraction) : digits(whole)) &&
         (fraction.empty() || digits(fraction));
}

double parse_real(std::string_view text) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc::result_out_of_range) return value;
  const bool tiny = text.find("e-") != text.npos || text.find("E-") != text.npos;
  return std::copysign(tiny ? 0.0 : std::numeric_limits<double>::infinity(),
                       text[0] == '-' ? -1.0 : 1.0);
}

bool is_json_number(std::string_view text) {
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  if (text.empty() || text[0] == '+' || text[0] == '.') return false;
  const auto whole = text.substr(0, text.find_first_of(".eE"));
  if (whole.size() > 1 && whole[0] == '0') return false;
  const auto point = text.find('.');
  return point == text.npos ||
         (point + 1 < text.size() && text[point + 1] >= '0' && text[point + 1] <= '9');
}

std::string shortest(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value < 0 ? "-.inf" : ".inf";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text;
}

}  // namespace

std::string Origin::text() const {
  if (line == 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

Value Value::null() { return {}; }

Value Value::boolean(bool b) {
  Value value;
  value.kind_ = Kind::boolean;
  value.boolean_ = b;
  value.text_ = b ? "true" : "false";
  return value;
}

Value Value::integer(std::int64_t i) {
  Value value;
  value.kind_ = Kind::integer;
  value.integer_ = i;
  value.text_ = std::to_string(i);
  return value;
}

Value Value::real(double d) {
  Value value;
  value.kind_ = Kind::real;
  value.real_ = d;
  value.text_ = shortest(d);
  return value;
}

Value Value::string(std::string s) {
  Value value;
  value.kind_ = Kind::string;
  value.text_ = std::move(s);
  return value;
}

Value Value::list(List items) {
  Value value;
  value.kind_ = Kind::list;
  value.items_ = std::move(items);
  return value;
}

Value Value::map(Map members) {
  Value value;
  value.kind_ = Kind::map;
  value.members_ = std::move(members);
  return value;
}

Value Value::plain_scalar(std::string_view text) {
  if (one_of(text, {"", "~", "null", "Null", "NULL"})) return null();
  if (one_of(text, {"true", "True", "TRUE"})) return boolean(true);
  if (one_of(text, {"false", "False", "FALSE"})) return boolean(false);
  if (one_of(without_sign(text), {".inf", ".Inf", ".INF"})) {
    return real(
        std::copysign(std::numeric_limits<double>::infinity(), text[0] == '-' ? -1.0 : 1.0));
  }
  if (one_of(text, {".nan", ".NaN", ".NAN"})) return real(std::numeric_limits<double>::quiet_NaN());
  std::optional<std::int64_t> whole = prefixed_integer(text);
  if (digits(without_sign(text))) whole = parse_integer(text, 10);
  Value value;
  if (whole) {
    value = integer(*whole);
  } else if (!digits(without_sign(text)) && looks_real(text)) {
    value = real(parse_real(text));
  } else {
    value = string(std::string(text));
    value.plain_ = true;
    return value;
  }
  const bool prefixed = text.size() > 1 && (text[1] == 'x' || text[1] == 'o');
  if (!prefixed && text != "-0" && is_json_number(text)) value.text_ = text;
  return value;
}

bool Value::as_boolean() const {
  assert(kind_ == Kind::boolean);
  return boolean_;
}

std::int64_t Value::as_integer() const {
  assert(kind_ == Kind::integer);
  return integer_;
}

double Value::as_real() const {
  assert(kind_ == Kind::real || kind_ == Kind::integer);
  return kind_ == Kind::integer ? static_cast<double>(integer_) : real_;
}

const std::string& Value::as_string() const {
  assert(kind_ == Kind::string);
  return text_;
}

const Value::List& Value::items() const { return items_; }
const Value::Map& Value::members() const { return members_; }
Value::List& Value::items() { return items_; }
Value::Map& Value::members() { return members_; }

const Value* Value::find(std::string_view key) const {
  for (const auto& [name, value] : members_) {
    if (name == key) return &value;
  }
  return nullptr;
}

Value* Value::find(std::string_view key) {
  return const_cast<Value*>(static_cast<const Value*>(this)->find(key));
}

const Value* Value::at_path(std::string_view dotted) const {
  if (const Value* whole = find(dotted)) return whole;
  for (auto dot = dotted.find('.'); dot != dotted.npos; dot = dotted.find('.', dot + 1)) {
    const Value* member = find(dotted.substr(0, dot));
    if (const Value* below = member ? member->at_path(dotted.substr(dot + 1)) : nullptr)
      return below;
  }
  return nullptr;
}

void Value::append(std::string key, Value value, Origin key_origin) {
  key_origins_.emplace_back(key, std::move(key_origin));
  members_.emplace_back(std::move(key), std::move(value));
}

void Value::set_path(std::string_view dotted, Value value) {
  if (kind_ != Kind::map) {
    *this = map({});
  }
  if (Value* whole = find(dotted)) {
    *whole = std::move(value);
    return;
  }
  for (auto dot = dotted.find('.'); dot != dotted.npos; dot = dotted.find('.', dot + 1)) {
    Value* member = find(dotted.substr(0, dot));
    if (member && member->is_map())
      return member->set_path(dotted.substr(dot + 1), std::move(value));
  }
  const auto dot = dotted.find('.');
  if (dot == dotted.npos) {
    members_.emplace_back(std::string(dotted), std::move(value));
    return;
  }
  const auto head = dotted.substr(0, dot);
  if (!find(head)) members_.emplace_back(std::string(head), map({}));
  find(head)->set_path(dotted.substr(dot + 1), std::move(value));
}

const Origin& Value::key_origin(std::string_view key) const {
  for (const auto& [name, origin] : key_origins_) {
    if (name == key) return origin;
  }
  const Value* member = find(key);
  return member ? member->origin_ : origin_;
}

void Value::set_key_origin(std::string_view key, Origin origin) {
  for (auto& [name, known] : key_origins_) {
    if (name == key) {
      known = std::move(origin);
      return;
    }
  }
  key_origins_.emplace_back(std::string(key), std::move(origin));
}

bool Value::operator==(const Value& other) const {
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case Kind::null:
      return true;
    case Kind::boolean:
      return boolean_ == other.boolean_;
    case Kind::integer:
      return integer_ == other.integer_;
    case Kind::real:
      return real_ == other.real_ ? std::signbit(real_) == std::signbit(other.real_)
                                  : std::isnan(real_) && std::isnan(other.real_);
    case Kind::string:
      return text_ == other.text_;
    case Kind::list:
      return items_ == other.items_;
    case Kind::map:
      break;
  }
  if (members_ == other.members_) return true;
  return members_.size() == other.members_.size() &&
         std::all_of(members_.begin(), members_.end(), [&](const auto& member) {
           const Value* there = other.find(member.first);
           return there && *there == member.second;
         });
}

Value merged(Value base, const Value& over) {
  if (!base.is_map() || !over.is_map()) return over;
  for (const auto& [key, value] : over.members()) {
    if (Value* known = base.find(key)) {
      *known = merged(std::move(*known), value);
    } else {
      base.members().emplace_back(key, value);
    }
    base.set_key_origin(key, over.key_origin(key));
  }
  return base;
}

}  // namespace campaign
