#include "compose/loader/words.hpp"

namespace compose {
namespace {

class Splitter {
 public:
  explicit Splitter(std::string_view line) : line_(line) {}

  std::optional<Words> run() {
    for (; at_ < line_.size(); ++at_)
      if (!step(line_[at_])) break;
    if (broken_ || escaped_ || plain_quoted() || substitution()) return std::nullopt;
    if (in_word_) found_.words.push_back(word_);
    if (at_ < line_.size()) found_.cut = std::string(line_.substr(at_));
    return std::move(found_);
  }

 private:
  // False: the line ends here.
  bool step(char c) {
    if (escaped_) {
      escaped_ = false;
      return take(c);
    }
    if (c == '\\' && !single_) {
      escaped_ = true;
      return true;
    }
    if (!plain_quoted() && !substitution()) {
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n') return end_word();
      if (c == ';' || c == '&' || c == '|' || c == '<' || c == '>') return redirection(c);
    }
    if (c == '`' || c == '(' || c == ')') return bracket(c);
    return quote(c) || take(c);
  }

  // `2>` takes its number with it.
  bool redirection(char c) {
    if (c == '>' && !word_.empty() && word_[0] >= '0' && word_[0] <= '9') in_word_ = false;
    return false;
  }

  // What a shell would run is kept as one word.
  bool bracket(char c) {
    if (plain_quoted()) return take(c);
    if (c == '`' && !dollar_) back_ = !back_;
    if (c == ')' && !back_) dollar_ = !dollar_;
    if (c == '(' && !back_) {
      broken_ = dollar_ || !word_.ends_with('$');
      dollar_ = true;
      if (broken_) return false;
    }
    return take(c);
  }

  bool quote(char c) {
    if (c == '"' && !single_ && !dollar_)
      double_ = !double_;
    else if (c == '\'' && !double_ && !dollar_)
      single_ = !single_;
    else
      return false;
    in_word_ = true;
    return true;
  }

  bool take(char c) {
    word_ += c;
    in_word_ = true;
    return true;
  }

  bool end_word() {
    if (in_word_) found_.words.push_back(word_);
    word_.clear();
    in_word_ = false;
    return true;
  }

  bool plain_quoted() const { return single_ || double_; }
  bool substitution() const { return back_ || dollar_; }

  std::string_view line_;
  std::size_t at_ = 0;
  Words found_;
  std::string word_;
  bool in_word_ = false, escaped_ = false, broken_ = false;
  bool single_ = false, double_ = false, back_ = false, dollar_ = false;
};

}  // namespace

std::optional<Words> split_words(std::string_view line) { return Splitter(line).run(); }

}  // namespace compose
