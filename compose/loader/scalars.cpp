#include "compose/loader/scalars.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace compose {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <std::size_t n>
bool one_of(std::string_view word, const std::string_view (&words)[n]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

struct Based {
  std::string_view digits;
  int base = 10;
};

Based based(std::string_view digits) {
  if (digits.size() < 2 || digits[0] != '0') return {digits, 10};
  const char mark = digits[1];
  if (mark == 'x' || mark == 'X') return {digits.substr(2), 16};
  if (mark == 'o' || mark == 'O') return {digits.substr(2), 8};
  if (mark == 'b' || mark == 'B') return {digits.substr(2), 2};
  return {digits.substr(1), 8};
}

std::optional<std::uint64_t> unsigned_of(Based number) {
  std::uint64_t value = 0;
  const char* end = number.digits.data() + number.digits.size();
  const auto read = std::from_chars(number.digits.data(), end, value, number.base);
  if (number.digits.empty() || read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return value;
}

bool looks_like_a_float(std::string_view text) {
  std::size_t at = 0, whole = 0, fraction = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  while (at < text.size() && is_digit(text[at])) ++at, ++whole;
  if (at < text.size() && text[at] == '.') {
    ++at;
    while (at < text.size() && is_digit(text[at])) ++at, ++fraction;
  }
  if (whole + fraction == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    const std::size_t digits = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    if (at == digits) return false;
  }
  return at == text.size();
}

YamlNode real_node(double value, Place place) {
  YamlNode node = YamlNode::of_real(value, place);
  node.text = number_text(value);
  return node;
}

std::optional<YamlNode> number(std::string_view plain, Place place) {
  std::string text(plain);
  std::erase(text, '_');
  const bool negative = text.starts_with('-');
  const std::string_view digits =
      std::string_view(text).substr(negative || text.starts_with('+') ? 1 : 0);
  if (!digits.empty() && is_digit(digits[0])) {
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const auto value = unsigned_of(based(digits));
    if (value && *value <= most + (negative ? 1 : 0))
      return YamlNode::of_integer(static_cast<std::int64_t>(negative ? ~*value + 1 : *value),
                                  place);
    if (value && !negative) {
      YamlNode node = real_node(static_cast<double>(*value), place);
      node.text = std::to_string(*value);
      return node;
    }
  }
  if (!looks_like_a_float(text)) return std::nullopt;
  double value = 0;
  std::string_view unsigned_text = text;
  if (text.starts_with('+')) unsigned_text.remove_prefix(1);
  const auto read =
      std::from_chars(unsigned_text.data(), unsigned_text.data() + unsigned_text.size(), value);
  if (read.ec != std::errc()) return std::nullopt;
  return real_node(value, place);
}

}  // namespace

YamlNode resolved(std::string_view plain, Place place) {
  if (one_of(plain, {"", "~", "null", "Null", "NULL"})) {
    YamlNode node;
    node.place = place;
    return node;
  }
  if (one_of(plain, {"true", "True", "TRUE"})) return YamlNode::of_boolean(true, place);
  if (one_of(plain, {"false", "False", "FALSE"})) return YamlNode::of_boolean(false, place);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (one_of(plain, {".nan", ".NaN", ".NAN"}))
    return real_node(std::numeric_limits<double>::quiet_NaN(), place);
  if (one_of(plain, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"}))
    return real_node(infinity, place);
  if (one_of(plain, {"-.inf", "-.Inf", "-.INF"})) return real_node(-infinity, place);
  const char first = plain.front();
  if (is_digit(first) || first == '-' || first == '+' || first == '.') {
    if (auto found = number(plain, place)) return std::move(*found);
  }
  return YamlNode::of_text(std::string(plain), place);
}

std::string number_text(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value < 0 ? "-.inf" : ".inf";
  const double size = std::fabs(value);
  const bool exponent = size != 0 && (size < 1e-4 || size >= 1e21);
  char buffer[64];
  const auto written =
      std::to_chars(buffer, buffer + sizeof buffer, value,
                    exponent ? std::chars_format::scientific : std::chars_format::fixed);
  return std::string(buffer, written.ptr);
}

}  // namespace compose
