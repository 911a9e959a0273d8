// `campaignctl compose ...`: compose files without a campaign. Its commands are one table, rows of
// the table of all commands; their options are data too, so that nothing here knows CLI11.
#pragma once

#include <variant>
#include <vector>

#include "compose/loader/loader.hpp"
#include "controller/cli/commands.hpp"

namespace controller::cli {

// One that all of them share, or a command's own. What it fills says what it is: a flag, a value, a
// value that may be repeated.
struct ComposeOption {
  const char* name;  // "--file,-f", or "SERVICE" for what stands without a name
  const char* type;  // "FILE"; "" of a flag
  const char* help;
  std::variant<bool ComposeArguments::*, std::string ComposeArguments::*,
               std::vector<std::string> ComposeArguments::*>
      into;
};

struct ComposeCommand {
  Command command;
  std::vector<ComposeOption> options;
};

const std::vector<ComposeCommand>& compose_commands();
// Of every command; they may stand before its name too.
const std::vector<ComposeOption>& compose_options();

// What the shared options and the caller's environment ask for.
compose::LoadRequest compose_request(const Arguments& arguments);
// Loads, and writes the warnings unless -q. Throws ComposeError with all that is wrong.
compose::Loaded load_compose(const compose::LoadRequest& request, const Arguments& arguments,
                             Console& console);

int compose_config_command(const Arguments& arguments, Console& console);

}  // namespace controller::cli
