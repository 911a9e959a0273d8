// What ends a command, as exceptions with the exit code that the user sees (docs/commands.md).
// main() is the only place that turns them into codes.
#pragma once

#include <stdexcept>
#include <string>

namespace controller {

enum class ExitCode {
  ok = 0,
  some_failed = 1,
  usage = 2,
  environment = 3,
  held = 4,
  paused = 5,
  regression = 6,
  damaged = 65,
  drained = 75,
  hangup = 129,
  interrupted = 130,
  terminated = 143
};

// The message says what was wrong, where, and what to do next, in one or two lines.
class CommandError : public std::runtime_error {
 public:
  CommandError(ExitCode exit_code, const std::string& what)
      : std::runtime_error(what), code(exit_code) {}
  ExitCode code;
};

}  // namespace controller
