// A regular expression over one line of a log: POSIX extended, with \d and \D besides. Matching
// takes no stack, however long the line.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace campaign {

class Expression {
 public:
  explicit Expression(const std::string& text);
  ~Expression();
  Expression(const Expression&) = delete;
  Expression& operator=(const Expression&) = delete;

  const std::string& problem() const { return problem_; }  // why it cannot be used, "" when it can
  std::size_t groups() const;
  // The first group of the last match in the line, or the whole match where there is no group. A
  // NUL ends the line.
  std::optional<std::string> last_match(std::string_view line) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
  std::string problem_;
};

}  // namespace campaign
