#include "campaign/config/secret_names.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace campaign {

bool is_secret(std::string_view name, const std::string& value) {
  constexpr std::array words = {"TOKEN", "KEY", "APIKEY", "PASS", "CREDENTIALS"};
  if (value.find_first_not_of("0123456789.") == value.npos) return false;
  std::string upper, word;
  char before = 0;
  bool one = false;
  for (const char c : std::string(name) + "_") {
    const bool part = std::isalnum(static_cast<unsigned char>(c));
    if (!part || (std::isupper(static_cast<unsigned char>(c)) &&
                  std::islower(static_cast<unsigned char>(before)))) {
      one |= std::ranges::find(words, word) != words.end();
      word.clear();
    }
    upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (part) word += upper.back();
    before = c;
  }
  return one || upper.find("PASSW") != upper.npos || upper.find("PASSPHRASE") != upper.npos ||
         upper.find("SECRET") != upper.npos;
}

}  // namespace campaign
