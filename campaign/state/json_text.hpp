// JSON as the state files need it: text written straight into a string, and a reader that pulls
// values one by one from text in memory, so that 100,000 runs or records cost no tree. Values of
// the campaign (Value) go through value.hpp.
#pragma once

#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace campaign::json_text {

// Payload text for a journal: invalid UTF-8 becomes U+FFFD, and at most `cap` bytes stay, cut
// between characters.
enum class Keep { start, end };
std::string clean(std::string_view text, std::size_t cap, Keep keep = Keep::start);

// Appends a quoted, escaped string; invalid UTF-8 becomes U+FFFD.
void append_string(std::string& out, std::string_view text);
// Shortest digits that read back to the same number; what is not finite becomes null.
void append_number(std::string& out, double number);
void append_number(std::string& out, std::int64_t number);
void append_number(std::string& out, std::uint64_t number);

// The message says the byte position and what is wrong.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Pulls values from JSON text that outlives it. Every call throws Error when the next value is not
// as asked.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  template <std::same_as<std::string> Temporary>
  explicit Reader(Temporary&&) = delete;

  void begin_object() { begin('{'); }
  bool next_member(
      std::string_view& key);  // false and past the brace at the end; keys are not unescaped
  void begin_array() { begin('['); }
  bool next_element();  // false and past the bracket at the end

  std::string string();
  double number();  // null reads as 0
  std::int64_t integer();
  std::uint64_t unsigned_integer();
  bool boolean();
  std::string_view raw();  // skips one value of any kind and gives its text
  // Unescapes a key or string that is given as the bytes between its quotes.
  static std::string unescape(std::string_view inner);
  void finish();  // only blanks are left
  [[noreturn]] void fail(const std::string& what) const;

 private:
  char peek();
  void begin(char bracket);
  void expect(char c);
  bool separated(char close);
  void skip_string();
  void skip_nested();
  std::string_view scalar();
  void append_escape(std::string& out);
  unsigned hex4();

  std::string_view text_;
  std::size_t at_ = 0;
  bool first_ = false;
};

}  // namespace campaign::json_text
