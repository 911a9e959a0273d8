// From argv to Arguments. The one user of CLI11.
#pragma once

#include <string>
#include <vector>

#include "controller/cli/commands.hpp"

namespace controller::cli {

struct Parsed {
  const Command* command = nullptr;  // null: `answer` is all there is to print (help)
  Arguments arguments;
  std::string answer;
};

// `words` without the program's name. Throws CommandError(usage).
Parsed parse(const std::vector<std::string>& words);

}  // namespace controller::cli
