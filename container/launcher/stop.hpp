#pragma once

#include <string>

namespace container::launcher {

struct StopOptions;

// Ends the launcher that has begun in a folder, and all that it started, from another process in
// the same process namespace. Who belongs to it: its descendants; where it is dead, those in its
// session and those that carry its mark in their environment, with their descendants.
struct StopReport {
  enum class State {
    none,     // nothing has begun; after --stop and --fence nothing can any more
    gone,     // it had ended before
    running,  // there is something to stop, and it was not asked to
    stopped,
    left  // some of it cannot be killed
  } state = State::gone;
  int killed = 0, left = 0;
  std::string error;  // not empty: nothing was done, and why
};
StopReport stop_launched(const StopOptions& options);
std::string report_json(const StopReport& report);

}  // namespace container::launcher
