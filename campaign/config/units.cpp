#include <charconv>
#include <cmath>

#include "campaign/config/decoder.hpp"

namespace campaign {
namespace {

// Takes a plain decimal number from the front of `text`.
std::optional<double> take_number(std::string_view& text) {
  const auto length = std::min(text.find_first_not_of("0123456789."), text.size());
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + length, value, std::chars_format::fixed);
  if (length == 0 || error != std::errc() || end != text.data() + length) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

double seconds_in(std::string_view unit) {
  if (unit == "ms") return 0.001;
  if (unit == "s") return 1;
  if (unit == "m") return 60;
  if (unit == "h") return 3600;
  if (unit == "d") return 86400;
  return 0;
}

int binary_power(std::string_view unit) {
  if (unit.empty() || unit == "b") return 0;
  const auto power = std::string_view("kmgtp").find(unit[0]);
  const auto rest = unit.substr(1);
  const bool known = rest.empty() || rest == "b" || rest == "i" || rest == "ib";
  return power == std::string_view::npos || !known ? -1 : static_cast<int>(power) + 1;
}

}  // namespace

std::optional<double> parse_duration(std::string_view text) {
  double total = 0, unit_before = INFINITY;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const auto value = take_number(text);
    if (!value) return std::nullopt;
    const auto length = std::min(text.find_first_not_of("msdh"), text.size());
    if (length == 0 && text.empty() && std::isinf(unit_before)) return *value;
    const double unit = seconds_in(text.substr(0, length));
    if (unit == 0 || unit >= unit_before) return std::nullopt;
    total += *value * unit;
    unit_before = unit;
    text.remove_prefix(length);
  }
  return total;
}

std::optional<double> parse_size(std::string_view text) {
  const auto value = take_number(text);
  if (!value || text.size() > 3) return std::nullopt;
  std::string unit;
  for (const char c : text) unit += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  const int power = binary_power(unit);
  if (power < 0) return std::nullopt;
  return std::floor(std::ldexp(*value, 10 * power));
}

}  // namespace campaign
