#include "compose/loader/units.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace compose {
namespace {

struct Unit {
  std::string_view name;
  double ns;
};
constexpr Unit units[] = {{"ns", 1},   {"us", 1e3},   {"\u00b5s", 1e3}, {"ms", 1e6},    {"s", 1e9},
                          {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9},   {"w", 604800e9}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The number at the front, which is taken off.
std::optional<double> take_number(std::string_view& text) {
  std::size_t at = 0, digits = 0;
  while (at < text.size() && (is_digit(text[at]) || text[at] == '.')) {
    digits += is_digit(text[at]) ? 1 : 0;
    ++at;
  }
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + at, value);
  if (digits == 0 || read.ec != std::errc() || read.ptr != text.data() + at) return std::nullopt;
  text.remove_prefix(at);
  return value;
}

std::optional<double> take_unit(std::string_view& text) {
  std::size_t at = 0;
  while (at < text.size() && !is_digit(text[at]) && text[at] != '.') ++at;
  const std::string_view name = text.substr(0, at);
  text.remove_prefix(at);
  for (const Unit& unit : units)
    if (unit.name == name) return unit.ns;
  return std::nullopt;
}

std::string trimmed(double value, std::string_view unit) {
  char buffer[40];
  const auto written =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  return std::string(buffer, written.ptr) + std::string(unit);
}

}  // namespace

std::optional<std::int64_t> duration_ns(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  long double sum = 0;  // exact for every whole nanosecond that fits
  while (!text.empty()) {
    const auto number = take_number(text);
    const auto unit = number ? take_unit(text) : std::nullopt;
    if (!unit) return std::nullopt;
    sum += static_cast<long double>(*number) * *unit;
  }
  if (sum > 9.2e18) return std::nullopt;
  return static_cast<std::int64_t>(std::llroundl(negative ? -sum : sum));
}

std::string duration_text(std::int64_t ns) {
  if (ns == 0) return "0s";
  if (ns < 0) return "-" + duration_text(ns == INT64_MIN ? INT64_MAX : -ns);
  if (ns < 1'000) return std::to_string(ns) + "ns";
  if (ns < 1'000'000) return trimmed(static_cast<double>(ns) / 1e3, "\u00b5s");
  if (ns < 1'000'000'000) return trimmed(static_cast<double>(ns) / 1e6, "ms");
  const std::int64_t minutes = ns / 60'000'000'000;
  std::string seconds = trimmed(static_cast<double>(ns % 60'000'000'000) / 1e9, "s");
  if (minutes == 0) return seconds;
  const std::string rest = std::to_string(minutes % 60) + "m" + seconds;
  return minutes < 60 ? rest : std::to_string(minutes / 60) + "h" + rest;
}

std::optional<std::int64_t> byte_count(std::string_view text) {
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  while (text.starts_with(' ')) text.remove_prefix(1);
  std::string unit(text);
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  double factor = 1;
  if (!unit.empty() && unit != "b") {
    constexpr std::string_view letters = "kmgtp";
    const std::size_t power = letters.find(unit[0]);
    const std::string_view rest = std::string_view(unit).substr(1);
    if (power == letters.npos || (!rest.empty() && rest != "b" && rest != "ib"))
      return std::nullopt;
    factor = std::pow(1024.0, static_cast<double>(power + 1));
  }
  const double bytes = *number * factor;
  if (bytes > 9.2e18) return std::nullopt;
  return static_cast<std::int64_t>(bytes);
}

}  // namespace compose
