#include "compose/loader/text_fault.hpp"

#include <algorithm>
#include <cstdio>

namespace compose {
namespace {

// How many bytes a sequence takes that begins with `head`; 0: none does.
std::size_t announced(unsigned char head) {
  if (head < 0x80) return 1;
  if (head < 0xC2) return 0;
  if (head < 0xE0) return 2;
  if (head < 0xF0) return 3;
  return head < 0xF5 ? 4 : 0;
}

std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = announced(byte(0));
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if (length < 3) return length;
  const unsigned char head = byte(0), second = byte(1);
  const bool overlong = (head == 0xE0 && second < 0xA0) || (head == 0xF0 && second < 0x90);
  const bool outside = (head == 0xED && second > 0x9F) || (head == 0xF4 && second > 0x8F);
  return overlong || outside ? 0 : length;
}

}  // namespace

std::optional<TextFault> text_fault(const Source& source) {
  TextFault at;
  std::string_view rest = source.text;
  while (!rest.empty()) {
    const auto c = static_cast<unsigned char>(rest[0]);
    const std::size_t length = sequence_length(rest);
    char code[8];
    std::snprintf(code, sizeof code, "0x%02x", c);
    if (length == 0) {
      at.message = std::string("byte ") + code + " is not valid UTF-8; save the file as UTF-8";
      return at;
    }
    if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7F) {
      at.message = std::string("control character ") + code + "; this is not a text file";
      return at;
    }
    rest.remove_prefix(length);
    at.column += 1;
    if (c == '\n') {
      at.line += 1;
      at.column = 1;
    }
  }
  return std::nullopt;
}

std::string key_fault(const std::string& text) {
  constexpr std::size_t longest_key = 500;
  if (text.empty()) return "there is no key before the colon";
  if (text.size() > longest_key) return "a key longer than 500 bytes";
  const bool control = std::any_of(text.begin(), text.end(),
                                   [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
  return control ? "a key with a control character in it" : "";
}

}  // namespace compose
