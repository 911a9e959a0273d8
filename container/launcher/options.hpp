#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace container::launcher {

// What the command line asks for; README.md describes every flag.
struct Options {
  std::string run;
  std::string out;                       // DIR, must exist
  std::uint64_t cap = 64ULL << 20;       // bytes of each log file, markers included
  std::uint64_t echo = 1ULL << 20;       // bytes, both streams together
  std::string window_begin, window_end;  // POSIX extended regular expressions; empty: not asked for
  std::string chdir;                     // empty: stay
  std::int64_t grace_ns = -1;            // -1: never send KILL
  bool gate = false;                     // wait for a byte on standard input first
  int follow_pid = 0;                    // 0: follow nobody
  bool logs = true;
  char** command = nullptr;  // null-terminated, points into argv
};

struct ShowVersion {};

struct UsageError {
  std::string message;  // one line: what is wrong and what to do
};

using Parsed = std::variant<Options, ShowVersion, UsageError>;

// `argv` is main's and must outlive the result. The expressions are checked here too.
Parsed parse_options(int argc, char** argv);

}  // namespace container::launcher
