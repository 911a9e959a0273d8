#include "controller/cli/command_words.hpp"

#include <algorithm>

#include "campaign/config/nearest.hpp"
#include "controller/cli/commands.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

bool takes_value(const std::string& word) { return word == "--color" || word == "--state-dir"; }

[[noreturn]] void refuse_command(const std::string& word) {
  std::string nearest;
  std::size_t best = 3;
  for (const Command& command : commands()) {
    const std::string name = first_word(command.name);
    const std::size_t distance = campaign::edit_distance(word, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  throw CommandError(ExitCode::usage, "no command `" + word + "`" +
                                          (nearest.empty() ? "; `campaignctl --help` lists them"
                                                           : "; did you mean `" + nearest + "`?"));
}

}  // namespace

std::string first_word(std::string_view name) {
  return std::string(name.substr(0, name.find(' ')));
}

std::vector<std::string> command_words(const std::vector<std::string>& words) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < words.size() && found.size() < 2; ++i) {
    if (takes_value(words[i]))
      ++i;
    else if (!words[i].starts_with('-'))
      found.push_back(words[i]);
  }
  return found;
}

void check_command(const std::vector<std::string>& chosen) {
  if (chosen.empty()) return;
  const auto& table = commands();
  const bool known = std::any_of(table.begin(), table.end(), [&](const Command& command) {
    return first_word(command.name) == chosen.front();
  });
  if (!known) refuse_command(chosen.front());
}

}  // namespace controller::cli
