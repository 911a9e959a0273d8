// Carries out a plan and decides nothing: each step as soon as those before it have ended, several
// at a time. A step that fails ends it: what is under way is finished, nothing more is begun, and
// what this execution has made is removed again.
#pragma once

#include <functional>

#include "compose/plan.hpp"
#include "container/engine.hpp"

namespace compose {

struct ExecutorOptions {
  std::size_t at_once = 8;
  enum class OnFailure {
    roll_back,
    leave,  // what was made stays
    go_on   // and the other steps are carried out all the same
  } on_failure = OnFailure::roll_back;
  std::function<void(const Step&)> begun = {}, done = {};  // for progress
  std::function<bool()> give_up = {};  // true: as if a step had failed, within a tenth of a second
};

struct Execution {
  bool ok = true;
  bool given_up = false;
  std::string failure;  // "wait until p-db-1 is healthy: ...", the first that failed
  std::string culprit;  // the container of that step; empty: none
  std::string logs;     // its last lines, of its output and of its health check
  Strings done;         // steps as text, in the order of their ends
  Strings rolled_back;  // what was removed again
  Strings warnings;     // of conditions that were not required, and of what could not be undone
};

// Runs to its end and is not to be cancelled from outside: say so by give_up. The plan and what it
// points to outlive it. An engine that cannot be reached is a failure too.
container::Task<Execution> execute(container::Engine& engine, const Plan& plan,
                                   const ExecutorOptions& options);

}  // namespace compose
