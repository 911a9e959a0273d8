#include "controller/progress/format.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

namespace controller::text {
namespace {

std::string two_digits(long long n) { return (n < 10 ? "0" : "") + std::to_string(n); }

std::size_t skip_escape(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  if (end >= text.size() || text[end] != '[') return end;
  ++end;
  while (end < text.size() && (text[end] < '@' || text[end] > '~')) ++end;
  return std::min(end + 1, text.size());
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

const char* code_of(Paint paint) {
  switch (paint) {
    case Paint::bold:
      return "\x1b[1m";
    case Paint::dim:
      return "\x1b[2m";
    case Paint::red:
      return "\x1b[31m";
    case Paint::green:
      return "\x1b[32m";
    case Paint::yellow:
      return "\x1b[33m";
    case Paint::cyan:
      return "\x1b[36m";
    case Paint::plain:
      break;
  }
  return "";
}

}  // namespace

std::string fixed(double value, int decimals) {
  std::array<char, 400> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::fixed, decimals);
  std::string text(buffer.data(), end.ptr);
  if (text.starts_with('-') && text.find_first_not_of("-0.") == std::string::npos) text.erase(0, 1);
  return text;
}

std::string duration(std::optional<double> seconds) {
  if (!seconds || !std::isfinite(*seconds)) return "-";
  const double value = std::max(0.0, *seconds);
  if (value > 0 && value < 0.00995) return fixed(value * 1000, 1) + "ms";
  if (value > 0 && value < 0.9995) return fixed(value * 1000, 0) + "ms";
  if (value < 59.95) return fixed(value, 1) + "s";
  const auto whole = static_cast<long long>(std::llround(value));
  if (whole < 3600) return std::to_string(whole / 60) + "m" + two_digits(whole % 60) + "s";
  return std::to_string(whole / 3600) + "h" + two_digits(whole % 3600 / 60) + "m";
}

std::string about(double seconds) {
  const auto whole = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  if (whole < 90) return std::to_string(whole) + "s";
  const long long minutes = (whole + 30) / 60;
  if (minutes < 60) return std::to_string(minutes) + "m";
  return std::to_string(minutes / 60) + "h" + two_digits(minutes % 60) + "m";
}

std::string span(double seconds) {
  const auto whole = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  if (whole < 120) return std::to_string(whole) + " s";
  const long long minutes = (whole + 30) / 60;
  if (minutes < 60) return std::to_string(minutes) + " min";
  return std::to_string(minutes / 60) + " h " + two_digits(minutes % 60);
}

std::string figure(std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return "-";
  const double size = std::fabs(*value);
  if (size == 0) return "0";
  if (size >= 1e7 || size < 1e-4) {
    std::array<char, 40> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), *value,
                                   std::chars_format::scientific, 3);
    return {buffer.data(), end.ptr};
  }
  const int decimals = 3 - static_cast<int>(std::floor(std::log10(size)));
  return fixed(*value, std::clamp(decimals, 0, 7));
}

std::string clock_time(double utc) {
  const auto whole = static_cast<std::time_t>(utc);
  std::tm local{};
  localtime_r(&whole, &local);
  return two_digits(local.tm_hour) + ":" + two_digits(local.tm_min) + ":" +
         two_digits(local.tm_sec);
}

std::string plural(std::size_t n, std::string_view singular) {
  return std::to_string(n) + " " + std::string(singular) + (n == 1 ? "" : "s");
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (&part != &parts.front()) text += separator;
    text += part;
  }
  return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) break;
    text.remove_prefix(at + 1);
    if (text.empty()) parts.emplace_back();
  }
  return parts;
}

std::string shell_quoted(const std::string& argument) {
  const bool plain =
      !argument.empty() && std::all_of(argument.begin(), argument.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 ||
               std::string_view("_-./:=,@%+").find(static_cast<char>(c)) != std::string_view::npos;
      });
  if (plain) return argument;
  std::string text = "'";
  for (char c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::size_t columns(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '\x1b') {
      i = skip_escape(text, i);
      continue;
    }
    if (!continues(text[i])) ++count;
    ++i;
  }
  return count;
}

std::string clipped(const std::string& text, std::size_t width) {
  if (columns(text) <= width) return text;
  if (width == 0) return "";
  std::string kept;
  std::size_t count = 0;
  bool colored = false;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '\x1b') {
      const std::size_t end = skip_escape(text, i);
      kept += text.substr(i, end - i);
      colored = true;
      i = end;
      continue;
    }
    if (!continues(text[i]) && ++count >= width) break;
    kept += text[i++];
  }
  return kept + "…" + (colored ? "\x1b[0m" : "");
}

std::string bar(std::size_t done, std::size_t total, std::size_t width) {
  const std::size_t full = total == 0 ? 0 : std::min(width, done * width / total);
  std::string cells;
  for (std::size_t i = 0; i < width; ++i) cells += i < full ? "█" : "░";
  return cells;
}

std::string painted(const std::string& text, Paint paint, bool color) {
  if (!color || paint == Paint::plain || text.empty()) return text;
  return code_of(paint) + text + "\x1b[0m";
}

std::string Table::line(const std::vector<std::string>& cells,
                        const std::vector<std::size_t>& widths) const {
  std::string text;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::string cell = i < cells.size() ? cells[i] : "";
    const std::string pad(widths[i] - columns(cell), ' ');
    if (i > 0) text += "  ";
    text += columns_[i].align == Align::right ? pad + cell : cell + pad;
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

std::string Table::text() const {
  std::vector<std::string> titles;
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) {
    titles.push_back(column.title);
    widths.push_back(columns(column.title));
  }
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < columns_.size() && i < row.size(); ++i)
      widths[i] = std::max(widths[i], columns(row[i]));
  std::string text = line(titles, widths);
  for (const auto& row : rows_) text += line(row, widths);
  return text;
}

}  // namespace controller::text
