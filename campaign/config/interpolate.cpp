#include <cstdlib>

#include "campaign/config/loader.hpp"

namespace campaign {
namespace {

constexpr int deepest = 16;

bool name_char(char c, bool first) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
         (!first && c >= '0' && c <= '9');
}

std::size_t name_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && name_char(text[length], length == 0)) ++length;
  return length;
}

// The position of the brace that closes the one before `text`; nested ${...} are skipped over.
std::size_t closing_brace(std::string_view text) {
  int open = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      ++open;
      ++i;
    } else if (text[i] == '}' && --open == 0) {
      return i;
    }
  }
  return text.npos;
}

std::string fill(std::string_view text, const Environment& environment, int depth);

std::string fill_one(std::string_view inside, const Environment& environment, int depth) {
  const std::string whole = "${" + std::string(inside.substr(0, 60)) + "}";
  const std::size_t length = name_length(inside);
  if (length == 0) {
    throw std::runtime_error(whole + ": no variable name; write $${ for a literal ${");
  }
  const std::string name(inside.substr(0, length));
  const std::string_view rest = inside.substr(length);
  if (!rest.empty() && !rest.starts_with(":-") && !rest.starts_with(":?")) {
    throw std::runtime_error(whole + ": expected ${VAR}, ${VAR:-default} or ${VAR:?message}");
  }
  const auto value = environment ? environment(name) : std::nullopt;
  if (rest.empty()) {
    if (!value) {
      throw std::runtime_error(name + " is not set in the environment; set it, or write ${" + name +
                               ":-default}");
    }
    return *value;
  }
  if (value && !value->empty()) return *value;
  const std::string operand = fill(rest.substr(2), environment, depth + 1);
  if (rest.starts_with(":-")) return operand;
  throw std::runtime_error(name + " is not set in the environment" +
                           (operand.empty() ? "" : ": " + operand));
}

std::string fill(std::string_view text, const Environment& environment, int depth) {
  if (depth > deepest) throw std::runtime_error("${...} is nested deeper than 16 levels");
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '$' || (next != '$' && next != '{')) {
      out += text[i];
      continue;
    }
    if (next == '$') {
      out += '$';
      ++i;
      continue;
    }
    const std::size_t end = closing_brace(text.substr(i + 2));
    if (end == text.npos)
      throw std::runtime_error("${ without its closing brace; write $${ for a literal ${");
    out += fill_one(text.substr(i + 2, end), environment, depth);
    i += 2 + end;
  }
  return out;
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (!value) return std::nullopt;
    return value;
  };
}

std::string interpolate(std::string_view text, const Environment& environment) {
  return fill(text, environment, 0);
}

}  // namespace campaign
