#pragma once

#include <sys/types.h>

#include <string>

namespace container::launcher {

// What kept the command from being executed; `error` 0: nothing did.
struct ExecFailure {
  enum class Step : int { folder, input, command };
  int error = 0;  // errno
  Step step = Step::command;

  // 127: there is no such command (or folder), 126: it is there and cannot be executed.
  int exit_code() const;
  std::string message(const std::string& command, const std::string& folder) const;
};

struct PayloadSetup {
  char** command;            // null-terminated; searched in PATH
  const std::string& chdir;  // empty: stay
  int out = -1, err = -1;    // become its stdout and stderr; -1: the launcher's own
};

// A process in a group of its own, with stdin from /dev/null, no signals blocked, and the default
// action for those that the launcher treats otherwise. The kernel kills it if the launcher dies.
struct Payload {
  pid_t pid = -1;  // -1: fork failed, with errno in `error`
  int error = 0;
  int exec_report =
      -1;  // non-blocking; gives an ExecFailure, or ends when the command is under way
};

Payload start_payload(const PayloadSetup& setup);

// Reads the report of a payload. False: not there yet.
bool read_exec_report(int fd, ExecFailure& failure);

}  // namespace container::launcher
