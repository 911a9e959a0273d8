// How figures look on a terminal, for the progress display and the command line. Durations are
// seconds; what is unknown is "-".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace controller::text {

std::string fixed(double value, int decimals);        // "1.23", never "-0.00"
std::string duration(std::optional<double> seconds);  // "34ms", "1.2s", "4m30s", "2h15m", "-"
std::string about(double seconds);                    // "45s", "8m", "2h10m"
std::string span(double seconds);                     // "40 s", "12 min", "4 h 10"
std::string figure(std::optional<double> value);      // four significant digits, "-"
std::string clock_time(double utc);                   // "12:03:04", local
std::string plural(std::size_t n, std::string_view singular);  // "1 run", "2 runs"
std::string joined(const std::vector<std::string>& parts, std::string_view separator);
std::vector<std::string> split(std::string_view text, char separator);  // "" gives nothing
std::string shell_quoted(const std::string& argument);  // as a POSIX shell reads it back

// Columns that a text takes: UTF-8 code points, without ANSI colour sequences.
std::size_t columns(std::string_view text);
// At most `width` columns, with "…" at the end where something was cut.
std::string clipped(const std::string& text, std::size_t width);

// "████████░░░░" of `width` cells.
std::string bar(std::size_t done, std::size_t total, std::size_t width);

enum class Paint { plain, bold, dim, red, green, yellow, cyan };
std::string painted(const std::string& text, Paint paint, bool color);

// A table whose columns are as wide as their widest cell, two blanks between them. Numbers to the
// right.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  std::string text() const;  // the titles and every row, a line each, no trailing blanks

 private:
  std::string line(const std::vector<std::string>& cells,
                   const std::vector<std::size_t>& widths) const;
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace controller::text
