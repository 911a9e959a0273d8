#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "container/launcher/devices.hpp"

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
  ExpectedGpus gpus;
  char** command = nullptr;  // null-terminated, points into argv
};

// --hold
struct HoldOptions {};

// --stop, --alive and --fence
struct StopOptions {
  enum class What { stop, look, fence } what = What::stop;
  std::string out;
  std::int64_t grace_ns = 10'000'000'000;  // from TERM to KILL
};

// --probe
struct ProbeOptions {
  enum class Protocol { tcp, http } protocol = Protocol::tcp;
  std::string host, port, path;
  std::int64_t timeout_ns = 5'000'000'000;
};

struct ShowVersion {};

struct UsageError {
  std::string message;  // one line: what is wrong and what to do
};

using Parsed =
    std::variant<Options, HoldOptions, StopOptions, ProbeOptions, ShowVersion, UsageError>;

// `argv` is main's and must outlive the result. The expressions are checked here too.
Parsed parse_options(int argc, char** argv);
// For a command line whose first word is --hold, --stop, --alive, --fence or --probe.
Parsed parse_mode(int argc, char** argv);

// "10" or "0.5", up to three years; false for anything else.
bool read_seconds(const char* text, std::int64_t& nanoseconds);

}  // namespace container::launcher
