#include "campaign/config/words.hpp"

#include <algorithm>
#include <stdexcept>

namespace campaign {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::vector<std::string> split() {
    while (at_ < text_.size()) step();
    finish();
    return std::move(words_);
  }

 private:
  void step() {
    const char c = text_[at_++];
    if (blank(c)) {
      finish();
    } else if (c == '\'') {
      single();
    } else if (c == '"') {
      twofold();
    } else if (c == '\\') {
      escape();
    } else {
      add(c);
    }
  }

  void add(char c) {
    word_ += c;
    open_ = true;
  }

  void finish() {
    if (open_) words_.push_back(std::move(word_));
    word_.clear();
    open_ = false;
  }

  void escape() {
    if (at_ == text_.size()) throw std::runtime_error("a backslash at the end");
    if (text_[at_] != '\n') add(text_[at_]);
    ++at_;
  }

  void single() {
    const auto end = text_.find('\'', at_);
    if (end == text_.npos) throw std::runtime_error("a ' without its partner");
    word_ += text_.substr(at_, end - at_);
    open_ = true;
    at_ = end + 1;
  }

  void twofold() {
    open_ = true;
    while (at_ < text_.size() && text_[at_] != '"') {
      const bool quotes =
          text_[at_] == '\\' && at_ + 1 < text_.size() &&
          std::string_view("\"\\$`\n").find(text_[at_ + 1]) != std::string_view::npos;
      if (quotes) ++at_;
      if (!quotes || text_[at_] != '\n') word_ += text_[at_];
      ++at_;
    }
    if (at_ == text_.size()) throw std::runtime_error("a \" without its partner");
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> words_;
  std::string word_;
  bool open_ = false;
};

}  // namespace

std::vector<std::string> split_words(std::string_view text) { return Splitter(text).split(); }

std::string shell_operator(const std::vector<std::string>& words) {
  static const std::vector<std::string> operators = {"&&", "||", "|", ";",  "&",
                                                     ">",  ">>", "<", "2>", "2>&1"};
  for (const std::string& word : words) {
    if (std::find(operators.begin(), operators.end(), word) != operators.end()) return word;
  }
  return "";
}

}  // namespace campaign
