// What keeps a file from being text at all.
#pragma once

#include <optional>
#include <string>

#include "compose/loader/source.hpp"

namespace compose {

struct TextFault {
  int line = 1, column = 1;
  std::string message;
};

// The first byte that is no UTF-8, or a control character.
std::optional<TextFault> text_fault(const Source& source);

// Why a text cannot be a key, wherever it stands; "" = it can.
std::string key_fault(const std::string& text);

}  // namespace compose
