#include "campaign/state/json_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace campaign::json_text {

namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

// Length of the well-formed UTF-8 sequence at `at`, 0 when there is none (Unicode 15, table 3-7).
std::size_t sequence(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned b0 = byte(0), b1 = byte(1);
  if (b0 < 0x80) return 1;
  if (b0 >= 0xc2 && b0 <= 0xdf) return follows(1) ? 2 : 0;
  if (b0 >= 0xe0 && b0 <= 0xef) {
    const bool allowed = follows(1) && (b0 != 0xe0 || b1 >= 0xa0) && (b0 != 0xed || b1 <= 0x9f);
    return allowed && follows(2) ? 3 : 0;
  }
  if (b0 >= 0xf0 && b0 <= 0xf4) {
    const bool allowed = follows(1) && (b0 != 0xf0 || b1 >= 0x90) && (b0 != 0xf4 || b1 <= 0x8f);
    return allowed && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

enum Kind : unsigned char { special = 1, structural = 2, end_of_scalar = 4 };

struct Kinds {
  unsigned char of[256];
};

constexpr Kinds make_kinds() {
  Kinds kinds{};
  for (int c = 0; c < 0x20; ++c) kinds.of[c] = special;
  for (const unsigned char c : std::string_view("\"\\")) kinds.of[c] |= special;
  for (const unsigned char c : std::string_view("\"{}[]")) kinds.of[c] |= structural;
  for (const unsigned char c : std::string_view(",]} \n\t\r")) kinds.of[c] |= end_of_scalar;
  return kinds;
}

constexpr Kinds kinds = make_kinds();

bool is(char c, Kind kind) { return (kinds.of[static_cast<unsigned char>(c)] & kind) != 0; }

bool plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

void append_control(std::string& out, char c) {
  constexpr char digits[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

void append_code_point(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

template <class Number>
void append_digits(std::string& out, Number number) {
  std::array<char, 40> buffer;
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  out.append(buffer.data(), result.ptr);
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

std::string clean(std::string_view text, std::size_t cap, Keep keep) {
  if (keep == Keep::end && text.size() > cap) text.remove_prefix(text.size() - cap);
  if (keep == Keep::start && text.size() > cap + 4) text = text.substr(0, cap + 4);
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence(text, at);
    out.append(length == 0 ? replacement : text.substr(at, length));
    at += length == 0 ? 1 : length;
  }
  if (out.size() <= cap) return out;
  if (keep == Keep::start) {
    std::size_t size = cap;
    while (size > 0 && continues(out[size])) --size;
    out.resize(size);
    return out;
  }
  std::size_t begin = out.size() - cap;
  while (begin < out.size() && continues(out[begin])) ++begin;
  return out.substr(begin);
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && plain(text[end])) ++end;
    out.append(text.substr(at, end - at));
    at = end;
    if (at == text.size()) break;
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      append_control(out, text[at++]);
      continue;
    }
    const std::size_t length = sequence(text, at);
    out.append(length == 0 ? replacement : text.substr(at, length));
    at += length == 0 ? 1 : length;
  }
  out += '"';
}

void append_number(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  append_digits(out, number);
}

void append_number(std::string& out, std::int64_t number) { append_digits(out, number); }
void append_number(std::string& out, std::uint64_t number) { append_digits(out, number); }

void Reader::fail(const std::string& what) const {
  throw Error("byte " + std::to_string(at_) + ": " + what);
}

char Reader::peek() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return c;
    ++at_;
  }
  fail("the text ends in the middle");
}

void Reader::expect(char c) {
  if (peek() != c) fail(std::string("expected '") + c + "'");
  ++at_;
}

void Reader::begin(char bracket) {
  expect(bracket);
  first_ = true;
}

bool Reader::separated(char close) {
  const bool first = std::exchange(first_, false);
  if (peek() == close) {
    ++at_;
    return false;
  }
  if (!first) expect(',');
  return true;
}

bool Reader::next_element() { return separated(']'); }

bool Reader::next_member(std::string_view& key) {
  if (!separated('}')) return false;
  if (peek() != '"') fail("expected a key");
  const std::size_t begin = at_;
  skip_string();
  key = text_.substr(begin + 1, at_ - begin - 2);
  expect(':');
  return true;
}

void Reader::skip_string() {
  ++at_;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (!is(c, special)) {
      ++at_;
    } else if (c == '"') {
      ++at_;
      return;
    } else if (c == '\\') {
      at_ += 2;
    } else {
      fail("a control character in a string");
    }
  }
  at_ = text_.size();
  fail("the text ends in the middle of a string");
}

std::string Reader::string() {
  if (peek() != '"') fail("expected a string");
  const std::size_t begin = at_;
  skip_string();
  return unescape(text_.substr(begin + 1, at_ - begin - 2));
}

std::string_view Reader::scalar() {
  peek();
  const std::size_t begin = at_;
  while (at_ < text_.size() && !is(text_[at_], end_of_scalar)) ++at_;
  return text_.substr(begin, at_ - begin);
}

namespace {

template <class Number>
bool parsed(std::string_view text, Number& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

}  // namespace

double Reader::number() {
  const std::string_view text = scalar();
  if (text == "null") return 0;
  double number = 0;
  const bool numeric = text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
  if (!numeric || !parsed(text, number)) fail("expected a number");
  return number;
}

std::int64_t Reader::integer() {
  std::int64_t number = 0;
  if (!parsed(scalar(), number)) fail("expected a whole number");
  return number;
}

std::uint64_t Reader::unsigned_integer() {
  std::uint64_t number = 0;
  if (!parsed(scalar(), number)) fail("expected a whole number that is not negative");
  return number;
}

bool Reader::boolean() {
  const std::string_view text = scalar();
  if (text != "true" && text != "false") fail("expected true or false");
  return text == "true";
}

std::string_view Reader::raw() {
  const char first = peek();
  const std::size_t begin = at_;
  if (first == '"') {
    skip_string();
  } else if (first == '{' || first == '[') {
    skip_nested();
  } else if (scalar().empty()) {
    fail("expected a value");
  }
  return text_.substr(begin, at_ - begin);
}

void Reader::skip_nested() {
  std::string open;
  for (; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (!is(c, structural)) continue;
    if (c == '"') {
      skip_string();
      --at_;
    } else if (c == '{' || c == '[') {
      open += c == '{' ? '}' : ']';
    } else if (open.back() != c) {
      fail("brackets do not match");
    } else {
      open.pop_back();
      if (open.empty()) break;
    }
  }
  if (at_ >= text_.size()) fail("the text ends in the middle");
  ++at_;
}

void Reader::finish() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') fail("something stands behind the end");
    ++at_;
  }
}

unsigned Reader::hex4() {
  const std::string_view digits = text_.substr(std::min(at_, text_.size()), 4);
  unsigned code = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  if (digits.size() != 4 || result.ptr != digits.data() + 4)
    fail("four hexadecimal digits expected");
  at_ += 4;
  return code;
}

void Reader::append_escape(std::string& out) {
  const char c = at_ < text_.size() ? text_[at_++] : '\0';
  constexpr std::string_view names = "\"\\/bfnrt";
  constexpr std::string_view values = "\"\\/\b\f\n\r\t";
  if (const auto found = names.find(c); found != std::string_view::npos && c != '\0') {
    out += values[found];
    return;
  }
  if (c != 'u') fail("an escape that JSON does not know");
  std::uint32_t code = hex4();
  const bool high = code >= 0xd800 && code < 0xdc00;
  if (high && text_.substr(at_, 2) == "\\u") {
    at_ += 2;
    const std::uint32_t low = hex4();
    code =
        low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
  } else if (code >= 0xd800 && code < 0xe000) {
    code = 0xfffd;
  }
  append_code_point(out, code);
}

std::string Reader::unescape(std::string_view inner) {
  std::string out;
  Reader reader(inner);
  while (reader.at_ < inner.size()) {
    const std::size_t end = std::min(inner.find('\\', reader.at_), inner.size());
    out.append(inner.substr(reader.at_, end - reader.at_));
    reader.at_ = end + 1;
    if (end < inner.size()) reader.append_escape(out);
  }
  return out;
}

}  // namespace campaign::json_text
