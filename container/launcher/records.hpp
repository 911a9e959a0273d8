#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <string>

#include "container/launcher/clocks.hpp"

namespace container::launcher {

// What outcome.json says; README.md has the format.
struct Outcome {
  std::string run;
  int exit_code = -1;  // -1: a signal ended it
  int signal = 0;      // 0: it exited
  int exec_errno = 0;  // 0: it was executed
  std::string exec_message;
  Moment start, end;
  rusage used{};  // of the payload and of every descendant that was waited for
  struct Stream {
    std::uint64_t bytes = 0, kept = 0;
  } out, err;
  std::int64_t window_begin_ns = -1, window_end_ns = -1;  // -1: no match
  int killed_descendants = 0;
  int left_descendants = 0;  // that KILL did not end within the bound
  std::string stopped_by;    // empty: nobody asked it to stop
  std::string log_error;     // empty: the logs are complete
};

std::string outcome_json(const Outcome& outcome);

// What begun says about this process; empty boot where /proc does not tell.
std::string begun_json(const std::string& run);

// A string as JSON, with quotes. What is not UTF-8 becomes U+FFFD.
std::string quoted(const std::string& text);

}  // namespace container::launcher
