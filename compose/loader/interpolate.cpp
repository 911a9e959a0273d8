#include "compose/loader/interpolate.hpp"

#include <stdexcept>

namespace compose {
namespace {

constexpr int deepest = 32;

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool continues_name(char c) { return begins_name(c) || (c >= '0' && c <= '9'); }

std::string_view name_at(std::string_view text) {
  std::size_t end = 0;
  if (!text.empty() && begins_name(text[0]))
    while (end < text.size() && continues_name(text[end])) ++end;
  return text.substr(0, end);
}

class Interpolator {
 public:
  Interpolator(const Lookup& lookup, std::vector<std::string>& unset)
      : lookup_(lookup), unset_(unset) {}

  std::string fill(std::string_view text, int depth) {
    if (depth > deepest) throw std::runtime_error("variables nested deeper than 32 levels");
    std::string filled;
    for (;;) {
      const std::size_t dollar = text.find('$');
      filled += text.substr(0, dollar);
      if (dollar == text.npos) return filled;
      text.remove_prefix(dollar + 1);
      if (text.starts_with('$')) {
        filled += '$';
        text.remove_prefix(1);
      } else if (text.starts_with('{')) {
        filled += braced(text, depth);
      } else if (const std::string_view name = name_at(text); !name.empty()) {
        filled += value_of(name);
        text.remove_prefix(name.size());
      } else {
        filled += '$';
      }
    }
  }

 private:
  // Takes "{...}" off the front of `text`.
  std::string braced(std::string_view& text, int depth) {
    const std::size_t end = closing(text);
    if (end == text.npos) invalid(text);
    const std::string_view whole = text.substr(0, end + 1);
    const std::string_view inside = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    const std::string_view name = name_at(inside);
    if (name.empty()) invalid(whole);
    std::string_view rest = inside.substr(name.size());
    if (rest.empty()) return value_of(name);
    const bool colon = rest.starts_with(':');
    if (colon) rest.remove_prefix(1);
    if (rest.empty() || std::string_view("-+?").find(rest[0]) == rest.npos) invalid(whole);
    std::optional<std::string> value = lookup_(name);
    const bool present = value && !(colon && value->empty());
    const std::string_view operand = rest.substr(1);
    if (rest[0] == '+') return present ? fill(operand, depth + 1) : "";
    if (present) return std::move(*value);
    if (rest[0] == '-') return fill(operand, depth + 1);
    const std::string why = fill(operand, depth + 1);
    throw std::runtime_error("the variable " + std::string(name) + " must be set" +
                             (why.empty() ? "" : ": " + why));
  }

  std::string value_of(std::string_view name) {
    std::optional<std::string> value = lookup_(name);
    if (!value) unset_.emplace_back(name);
    return value.value_or("");
  }

  static std::size_t closing(std::string_view text) {
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '{' && (i == 0 || text[i - 1] == '$')) ++depth;
      if (text[i] == '}' && --depth == 0) return i;
    }
    return text.npos;
  }

  [[noreturn]] static void invalid(std::string_view text) {
    throw std::runtime_error("`$" + std::string(text.substr(0, 60)) +
                             "` is no variable; write ${NAME}, ${NAME:-default} or, for a $, $$");
  }

  const Lookup& lookup_;
  std::vector<std::string>& unset_;
};

}  // namespace

std::string interpolate(std::string_view text, const Lookup& lookup,
                        std::vector<std::string>& unset) {
  return Interpolator(lookup, unset).fill(text, 0);
}

}  // namespace compose
