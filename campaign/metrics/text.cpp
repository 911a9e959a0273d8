#include "campaign/metrics/text.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <vector>

namespace campaign {
namespace {

struct Lead {
  int following = 0;
  unsigned char low = 0x80, high = 0xBF;
};

std::optional<Lead> lead_of(unsigned char byte) {
  if (byte < 0x80) return Lead{};
  if (byte >= 0xC2 && byte <= 0xDF) return Lead{.following = 1};
  if (byte == 0xE0) return Lead{.following = 2, .low = 0xA0};
  if (byte == 0xED) return Lead{.following = 2, .high = 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return Lead{.following = 2};
  if (byte == 0xF0) return Lead{.following = 3, .low = 0x90};
  if (byte >= 0xF1 && byte <= 0xF3) return Lead{.following = 3};
  if (byte == 0xF4) return Lead{.following = 3, .high = 0x8F};
  return std::nullopt;
}

struct Part {
  std::size_t length = 1;
  bool valid = false;
};

Part next_part(std::string_view text) {
  const auto lead = lead_of(static_cast<unsigned char>(text[0]));
  if (!lead) return {};
  for (int i = 1; i <= lead->following; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (at >= text.size()) return {at, false};
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < (i == 1 ? lead->low : 0x80) || byte > (i == 1 ? lead->high : 0xBF))
      return {at, false};
  }
  return {static_cast<std::size_t>(lead->following) + 1, true};
}

ssize_t read_at(int fd, char* into, std::size_t length, off_t offset) {
  std::size_t done = 0;
  while (done < length) {
    const ssize_t got = ::pread(fd, into + done, length - done, offset + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

constexpr std::size_t block_size = 64 * 1024;
constexpr std::size_t longest_backward_line = 64 * 1024;
constexpr std::size_t longest_line = 1024 * 1024;

std::string_view last_bytes(std::string_view line) {
  return line.size() > longest_backward_line ? line.substr(line.size() - longest_backward_line)
                                             : line;
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Part part = next_part(text);
    if (part.valid)
      out.append(text.substr(0, part.length));
    else
      out.append("\xEF\xBF\xBD");
    text.remove_prefix(part.length);
  }
  return out;
}

std::string shown(std::string_view text) {
  constexpr std::size_t cap = 200;
  constexpr const char* digits = "0123456789abcdef";
  std::string out;
  const std::string clean = valid_utf8(text.substr(0, cap));
  for (const char c : clean) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      out += c;
      continue;
    }
    out += "\\x";
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return text.size() > cap ? out + "..." : out;
}

std::optional<double> parse_number(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(blanks) - first + 1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string shortest(double value) {
  if (!std::isfinite(value)) return "NA";
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return error == std::errc{} ? std::string(buffer.data(), end) : "NA";
}

void each_line_backwards(int fd, const std::function<bool(std::string_view)>& take) {
  struct stat info{};
  if (::fstat(fd, &info) != 0 || info.st_size == 0) return;
  std::string carry;
  std::vector<char> block(block_size);
  bool at_end = true;
  for (off_t end = info.st_size; end > 0;) {
    const off_t start = std::max<off_t>(0, end - static_cast<off_t>(block_size));
    const ssize_t got = read_at(fd, block.data(), static_cast<std::size_t>(end - start), start);
    if (got <= 0) return;
    std::string_view rest(block.data(), static_cast<std::size_t>(got));
    if (at_end && rest.back() == '\n') rest.remove_suffix(1);
    at_end = false;
    for (auto newline = rest.rfind('\n'); newline != std::string_view::npos;
         newline = rest.rfind('\n')) {
      carry.insert(0, rest.substr(newline + 1));
      if (!take(last_bytes(carry))) return;
      carry.clear();
      rest = rest.substr(0, newline);
    }
    carry.insert(0, rest);
    if (carry.size() > longest_backward_line) carry = std::string(last_bytes(carry));
    end = start;
  }
  take(last_bytes(carry));
}

std::size_t each_line(int fd, const std::function<void(std::string_view, bool)>& take) {
  std::string line;
  std::vector<char> block(block_size);
  std::size_t left_out = 0;
  bool too_long = false;
  const auto extend = [&](std::string_view part) {
    too_long = too_long || line.size() + part.size() > longest_line;
    if (too_long)
      line.clear();
    else
      line.append(part);
  };
  for (off_t offset = 0;;) {
    const ssize_t got = read_at(fd, block.data(), block.size(), offset);
    if (got <= 0) break;
    offset += got;
    std::string_view rest(block.data(), static_cast<std::size_t>(got));
    for (auto newline = rest.find('\n'); newline != std::string_view::npos;
         newline = rest.find('\n')) {
      extend(rest.substr(0, newline));
      if (too_long)
        ++left_out;
      else
        take(line, true);
      line.clear();
      too_long = false;
      rest.remove_prefix(newline + 1);
    }
    extend(rest);
  }
  if (!line.empty()) take(line, false);
  return left_out + (too_long ? 1 : 0);
}

}  // namespace campaign
