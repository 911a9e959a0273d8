#include "container/launcher/window.hpp"

#include <algorithm>
#include <cstring>

namespace container::launcher {
namespace {

constexpr std::size_t longest_line = 64 << 10;

}  // namespace

Pattern::Pattern(const std::string& expression) {
  set_ =
      !expression.empty() && regcomp(&compiled_, expression.c_str(), REG_EXTENDED | REG_NOSUB) == 0;
}

Pattern::~Pattern() {
  if (set_) regfree(&compiled_);
}

bool Pattern::found_in(const char* text, std::size_t length) const {
  regmatch_t range{.rm_so = 0, .rm_eo = static_cast<regoff_t>(length)};
  return set_ && regexec(&compiled_, text, 1, &range, REG_STARTEND) == 0;
}

std::string Pattern::check(const std::string& expression) {
  regex_t compiled;
  const int code = regcomp(&compiled, expression.c_str(), REG_EXTENDED | REG_NOSUB);
  if (code == 0) {
    regfree(&compiled);
    return "";
  }
  char text[200];
  regerror(code, &compiled, text, sizeof text);
  return std::string("not a POSIX extended regular expression: ") + text;
}

WindowMarks::WindowMarks(const std::string& begin, const std::string& end)
    : begin_(begin),
      end_(end),
      state_(begin_.set() ? State::before
             : end_.set() ? State::inside
                          : State::done) {}

void WindowMarks::judge(const char* line, std::size_t length, std::int64_t now_ns) {
  if (state_ == State::before && begin_.found_in(line, length)) {
    begin_ns_ = now_ns;
    state_ = end_.set() ? State::inside : State::done;
  } else if (state_ == State::inside && end_.found_in(line, length)) {
    end_ns_ = now_ns;
    state_ = State::done;
  }
}

void WindowMarks::collect(const char* data, std::size_t length, std::int64_t now_ns) {
  if (skipping_) return;
  partial_.append(data, std::min(length, longest_line - partial_.size()));
  if (partial_.size() < longest_line) return;
  judge(partial_.data(), partial_.size(), now_ns);
  partial_.clear();
  skipping_ = true;
}

void WindowMarks::take(const char* data, std::size_t length, std::int64_t now_ns) {
  while (length > 0 && !idle()) {
    const auto* newline = static_cast<const char*>(std::memchr(data, '\n', length));
    const std::size_t size = newline ? static_cast<std::size_t>(newline - data) : length;
    if (!newline || skipping_ || !partial_.empty()) {
      collect(data, size, now_ns);
      if (newline && !skipping_) judge(partial_.data(), partial_.size(), now_ns);
    } else {
      judge(data, std::min(size, longest_line), now_ns);
    }
    if (!newline) return;
    partial_.clear();
    skipping_ = false;
    data += size + 1;
    length -= size + 1;
  }
}

void WindowMarks::finish(std::int64_t now_ns) {
  if (!partial_.empty() && !skipping_) judge(partial_.data(), partial_.size(), now_ns);
  partial_.clear();
}

}  // namespace container::launcher
