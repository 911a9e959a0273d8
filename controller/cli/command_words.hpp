// Which command is meant, before anything is parsed: only its options are built.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace controller::cli {

// The first two words that are neither options of every command nor their values.
std::vector<std::string> command_words(const std::vector<std::string>& words);
// Throws CommandError(usage), with the nearest name, where there is no such command.
void check_command(const std::vector<std::string>& chosen);

std::string first_word(std::string_view name);

}  // namespace controller::cli
