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

// In place of a launcher's own begun: nothing may begin here any more.
std::string fence_json();

// What begun says. pid 0: it is a fence.
struct Begun {
  std::string run;  // as written, with its escapes
  int pid = 0;
  std::uint64_t started = 0;
  std::string boot;
};
bool read_begun(const std::string& text, Begun& begun);  // false: it is not whole
std::string boot_id();                                   // of this boot

// The variable that every process of a payload inherits, and NAME=VALUE of it: by it those are
// known that a killed launcher leaves behind.
inline constexpr char mark_name[] = "CAMPAIGNCTL_LAUNCH";
std::string own_mark(const std::string& run);  // the value
std::string mark_of(const Begun& begun);

// A string as JSON, with quotes. What is not UTF-8 becomes U+FFFD.
std::string quoted(const std::string& text);

}  // namespace container::launcher
