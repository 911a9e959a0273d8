// A command line of a compose file cut into words, as `docker compose` 2.x does it: no shell.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace compose {

struct Words {
  std::vector<std::string> words;
  // What stands behind the first ; & | < > outside of quotes. compose drops it silently.
  std::string cut;
};

// Empty: a quote is not closed, or a bracket stands outside of quotes.
std::optional<Words> split_words(std::string_view line);

}  // namespace compose
