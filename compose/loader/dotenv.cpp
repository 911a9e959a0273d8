#include "compose/loader/dotenv.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "compose/loader/text_fault.hpp"

namespace compose {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool names(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-' || c == '[' || c == ']';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (is_blank(text.back()) || text.back() == '\n')) text.remove_suffix(1);
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

class Reader {
 public:
  Reader(const DotenvRequest& request, Findings& findings)
      : request_(request), findings_(findings), text_(request.source.text) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  std::map<std::string, std::string> run() {
    while (skip_to_statement()) statement();
    return std::move(values_);
  }

 private:
  bool skip_to_statement() {
    while (!text_.empty()) {
      if (text_[0] == '#')
        skip_line();
      else if (is_blank(text_[0]) || text_[0] == '\n')
        advance(1);
      else
        return true;
    }
    return false;
  }

  void statement() {
    if (text_.starts_with("export") && text_.size() > 6 && is_blank(text_[6])) {
      advance(6);
      while (!text_.empty() && is_blank(text_[0])) advance(1);
    }
    std::size_t end = 0;
    while (end < text_.size() && names(text_[end])) ++end;
    const std::string name(text_.substr(0, end));
    std::size_t after = end;
    while (after < text_.size() && is_blank(text_[after])) ++after;
    const bool line_ends = after == text_.size() || text_[after] == '\n';
    const bool assigned = !line_ends && (text_[after] == '=' || text_[after] == ':');
    if (name.empty() || (!line_ends && !assigned)) {
      complain("expected NAME=value, not `" +
               std::string(text_.substr(0, std::min<std::size_t>(text_.find('\n'), 60))) + "`");
      skip_line();
      return;
    }
    advance(after);
    if (line_ends) {
      if (const auto value = request_.lookup(name)) values_[name] = *value;
      return;
    }
    advance(1);
    while (!text_.empty() && is_blank(text_[0])) advance(1);
    value(name);
  }

  void value(const std::string& name) {
    const char quote = text_.empty() ? '\0' : text_[0];
    if (request_.raw || (quote != '\'' && quote != '"')) {
      const std::string_view line = text_.substr(0, text_.find('\n'));
      const std::string_view plain = request_.raw ? line : line.substr(0, line.find(" #"));
      store(name, std::string(trimmed(plain)), request_.raw);
      advance(line.size());
      return;
    }
    std::size_t end = 1;
    while (end < text_.size() && text_[end] != quote)
      end += text_[end] == '\\' && end + 1 < text_.size() ? 2 : 1;
    if (end >= text_.size()) {
      complain(name + ": the quote " + quote + " is not closed");
      text_ = {};
      return;
    }
    const std::string_view inside = text_.substr(1, end - 1);
    store(name, quote == '"' ? unescaped(inside) : unquoted(inside), quote == '\'');
    advance(end + 1);
  }

  void store(const std::string& name, std::string value, bool as_it_is) {
    if (!as_it_is) {
      const Lookup lookup = [this](std::string_view wanted) -> std::optional<std::string> {
        if (auto outer = request_.lookup(wanted)) return outer;
        const auto here = values_.find(std::string(wanted));
        return here == values_.end() ? std::nullopt : std::optional(here->second);
      };
      std::vector<std::string> unset;
      try {
        value = interpolate(value, lookup, unset);
      } catch (const std::runtime_error& error) {
        complain(name + ": " + error.what());
      }
      for (const std::string& missing : unset)
        findings_.warn({request_.source.name, line_, 1}, name,
                       "the variable " + missing + " is not set, \"\" is taken");
    }
    values_[name] = std::move(value);
  }

  static std::string unquoted(std::string_view text) {
    std::string plain(text);
    for (std::size_t at = 0; (at = plain.find("\\'", at)) != plain.npos; ++at) plain.erase(at, 1);
    return plain;
  }

  static std::string unescaped(std::string_view text) {
    constexpr std::string_view letters = "abfnrtv\"\\", meanings = "\a\b\f\n\r\t\v\"\\";
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::size_t letter =
          text[i] == '\\' && i + 1 < text.size() ? letters.find(text[i + 1]) : letters.npos;
      if (letter != letters.npos) {
        plain += meanings[letter];
        ++i;
      } else if (text[i] == '\\' && text.substr(i + 1).starts_with('$')) {
        plain += "$$";
        ++i;
      } else {
        plain += text[i];
      }
    }
    return plain;
  }

  void complain(std::string message) {
    findings_.error({request_.source.name, line_, 1}, std::string(), std::move(message));
  }

  void advance(std::size_t count) {
    line_ += static_cast<int>(std::count(text_.begin(), text_.begin() + count, '\n'));
    text_.remove_prefix(count);
  }

  void skip_line() { advance(std::min(text_.size(), text_.find('\n'))); }

  const DotenvRequest& request_;
  Findings& findings_;
  std::string_view text_;
  std::map<std::string, std::string> values_;
  int line_ = 1;
};

}  // namespace

std::map<std::string, std::string> read_dotenv(const DotenvRequest& request, Findings& findings) {
  if (const auto fault = text_fault(request.source)) {
    findings.error({request.source.name, fault->line, fault->column}, "", fault->message);
    return {};
  }
  return Reader(request, findings).run();
}

}  // namespace compose
