// This program's own standard input and terminal, for commands that hand them on.
#pragma once

#include <termios.h>

#include <memory>
#include <string>

#include "container/execs.hpp"

namespace controller::cli {

bool input_is_terminal();
container::TerminalSize terminal_size();  // of standard output; zeros where it is unknown

// Standard input's terminal hands on every key as it is typed, Ctrl-C too, until this goes.
class RawTerminal {
 public:
  RawTerminal();  // throws std::system_error
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal();

 private:
  termios before_{};
};

// Standard input, read as it comes. It is shared with whoever started this program, so it is never
// made non-blocking, and nothing is read ahead.
class StandardInput {
 public:
  explicit StandardInput(const boost::asio::any_io_executor& executor);
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;
  ~StandardInput();
  // What there is, at least a byte; empty at the end. May be cancelled while it waits.
  container::Task<std::string> next();

 private:
  struct Readiness;
  std::unique_ptr<Readiness> readiness_;
};

}  // namespace controller::cli
