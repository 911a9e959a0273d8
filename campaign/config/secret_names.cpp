#include "campaign/config/secret_names.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace campaign {

bool is_secret(std::string_view name, const std::string& value) {
  constexpr std::array words = {"TOKEN",    "KEY",    "APIKEY", "SECRET",     "SECRETS",
                                "PASSWORD", "PASSWD", "PASS",   "PASSPHRASE", "CREDENTIALS"};
  if (value.find_first_not_of("0123456789.") == value.npos) return false;
  std::string word;
  for (const char c : std::string(name) + "_") {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      word += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      continue;
    }
    if (std::ranges::find(words, word) != words.end()) return true;
    word.clear();
  }
  return false;
}

}  // namespace campaign
