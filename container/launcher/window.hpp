#pragma once

#include <regex.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace container::launcher {

// A POSIX extended regular expression, compiled once. An empty expression makes a pattern that is
// not set.
class Pattern {
 public:
  explicit Pattern(const std::string& expression);
  ~Pattern();
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  bool set() const { return set_; }
  bool found_in(const char* text, std::size_t length) const;  // NUL bytes in the text are no end

  // What regcomp says against the expression; empty: nothing.
  static std::string check(const std::string& expression);

 private:
  regex_t compiled_{};
  bool set_ = false;
};

// Finds the first line that matches `begin` and the first line after it that matches `end`, in a
// stream that comes in pieces. A line is judged when it is complete, when the stream ends, or when
// 64 KiB of it are there; the rest of a longer line is not looked at. Without `begin` the search
// for `end` starts at once.
class WindowMarks {
 public:
  WindowMarks(const std::string& begin, const std::string& end);

  // `now_ns` is the CLOCK_MONOTONIC reading of the moment at which these bytes were read.
  void take(const char* data, std::size_t length, std::int64_t now_ns);
  void finish(std::int64_t now_ns);  // the stream has ended; a last line without newline counts

  bool idle() const { return state_ == State::done; }
  std::int64_t begin_ns() const { return begin_ns_; }  // -1: no match
  std::int64_t end_ns() const { return end_ns_; }      // -1: no match

 private:
  enum class State { before, inside, done };
  void judge(const char* line, std::size_t length, std::int64_t now_ns);
  void collect(const char* data, std::size_t length, std::int64_t now_ns);

  Pattern begin_, end_;
  State state_;
  std::string partial_;  // the start of a line whose newline has not come
  bool skipping_ = false;
  std::int64_t begin_ns_ = -1, end_ns_ = -1;
};

}  // namespace container::launcher
