#include "campaign/config/expression.hpp"

#include <regex.h>

#include <algorithm>

namespace campaign {
namespace {

std::string posix_of(const std::string& expression) {
  std::string out;
  bool bracket = false;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (c == '\\' && i + 1 < expression.size()) {
      const char next = expression[++i];
      if (next == 'd')
        out += bracket ? "0-9" : "[0-9]";
      else if (next == 'D' && !bracket)
        out += "[^0-9]";
      else
        out += {c, next};
      continue;
    }
    const bool first = bracket && (expression[i - 1] == '[' ||
                                   (expression[i - 1] == '^' && expression[i - 2] == '['));
    if (c == '[' && !bracket)
      bracket = true;
    else if (c == ']' && !first)
      bracket = false;
    out += c;
  }
  return out;
}

}  // namespace

struct Expression::Compiled {
  Compiled() = default;
  ~Compiled() { ::regfree(&regex); }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  regex_t regex{};
};

Expression::Expression(const std::string& text) {
  regex_t regex{};
  const int code = ::regcomp(&regex, posix_of(text).c_str(), REG_EXTENDED);
  if (code == 0) {
    compiled_ = std::make_unique<Compiled>();
    compiled_->regex = regex;
    return;
  }
  char message[200] = "";
  ::regerror(code, &regex, message, sizeof message);
  problem_ = message;
}

Expression::~Expression() = default;

std::size_t Expression::groups() const { return compiled_ ? compiled_->regex.re_nsub : 0; }

std::optional<std::string> Expression::last_match(std::string_view line) const {
  std::optional<std::string> found;
  const std::string text(line.substr(0, line.find('\0')));
  regmatch_t matches[2];
  for (std::size_t at = 0; at <= text.size();) {
    const int flags = at == 0 ? 0 : REG_NOTBOL;
    if (::regexec(&compiled_->regex, text.c_str() + at, 2, matches, flags) != 0) break;
    const regmatch_t& wanted = matches[groups() > 0 ? 1 : 0];
    if (wanted.rm_so >= 0)
      found = text.substr(at + static_cast<std::size_t>(wanted.rm_so),
                          static_cast<std::size_t>(wanted.rm_eo - wanted.rm_so));
    at += static_cast<std::size_t>(std::max(matches[0].rm_eo, matches[0].rm_so + 1));
  }
  return found;
}

}  // namespace campaign
