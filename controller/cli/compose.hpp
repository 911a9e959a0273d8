// `campaignctl compose ...`: compose files without a campaign. Its commands are one table, rows of
// the table of all commands; their options are data too, so that nothing here knows CLI11.
#pragma once

#include <functional>
#include <variant>

#include "compose/loader/loader.hpp"
#include "container/engine.hpp"
#include "controller/cli/commands.hpp"
#include "controller/wake.hpp"

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
  enum class Rest {
    options,
    words
  } rest = Rest::options;  // words: after the first argument all are
};

const std::vector<ComposeCommand>& compose_commands();
// Of every command; they may stand before its name too.
const std::vector<ComposeOption>& compose_options();

// What the shared options and the caller's environment ask for.
compose::LoadRequest compose_request(const Arguments& arguments);
// Loads, and writes the warnings unless -q. Throws ComposeError with all that is wrong.
compose::Loaded load_compose(const compose::LoadRequest& request, const Arguments& arguments,
                             Console& console);

// Which project a command is about. By -p alone no file is read.
struct ComposeTarget {
  std::string project;
  std::optional<compose::Project> file;
};
ComposeTarget compose_target(const Arguments& arguments, Console& console);
// Of all services of the files, those of profiles that are not enabled too, by name.
std::vector<std::string> service_names(const compose::Project& project);
// "10" or "2.5" of an option; `missing` where it is not given. Throws CommandError(usage).
double seconds_option(const std::string& text, const char* option, double missing);

// Runs `work` with the engine that the environment names, on this thread, to its end.
using EngineWork = std::function<Task<>(container::Engine& engine)>;
void with_engine(const EngineWork& work);
// True once INT, TERM or HUP has come, from now on; the second one ends this program.
std::function<bool()> watch_signals();

int compose_config_command(const Arguments& arguments, Console& console);
int compose_up_command(const Arguments& arguments, Console& console);
int compose_ps_command(const Arguments& arguments, Console& console);
int compose_exec_command(const Arguments& arguments, Console& console);
int compose_down_command(const Arguments& arguments, Console& console);

}  // namespace controller::cli
