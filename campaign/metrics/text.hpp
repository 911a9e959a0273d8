// Text that came from a payload, made fit for messages, JSON and terminals.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace campaign {

// Invalid UTF-8 replaced by U+FFFD, one for each maximal broken part (as the Unicode standard
// recommends).
std::string valid_utf8(std::string_view text);
// For one line of a message: valid_utf8, control characters as \xNN, at most 200 bytes and then
// "...".
std::string shown(std::string_view text);
// A whole text that is a decimal floating-point number; blanks around it and a leading + are
// allowed. "nan" and "inf" are numbers here: the caller decides whether they are finite.
std::optional<double> parse_number(std::string_view text);
// Shortest text that reads back to the same double; "NA" when not finite.
std::string shortest(double value);

// Lines of an open file from its end to its start, read in blocks, whatever its size. Of a line
// longer than 64 KiB only the last 64 KiB are given. `take` returns false to stop. Reading errors
// end the walk.
void each_line_backwards(int fd, const std::function<bool(std::string_view)>& take);
// Lines from start to end. `whole` is false for a last line without a newline. Lines longer than 1
// MiB are left out and counted in the return value.
std::size_t each_line(int fd, const std::function<void(std::string_view line, bool whole)>& take);

}  // namespace campaign
