// What an attempt that has ended means for its run and for the campaign: completed, another
// attempt, failed for good, interrupted; runs to skip; a limit that pauses the campaign. Pure
// decisions; the caller journals them.
#pragma once

#include "campaign/state/fold.hpp"
#include "controller/attempt.hpp"

namespace controller {

struct RetryDecision {
  bool retry = false;
  double backoff = 0;  // seconds
};
// `failures`: attempts of this run that failed before this one. A contaminated one is always done
// again: telemetry.max_reruns has decided before that it counts as one; `failures` are then those
// that were contaminated.
RetryDecision decide_retry(const campaign::Retries& retries, campaign::FailureClass cls,
                           int failures);

// Equal final failures of each experiment in a row, since the last pause.
class FailureStreaks {
 public:
  struct Outcome {
    std::uint32_t experiment = 0;
    campaign::FailureClass cls = campaign::FailureClass::none;
    std::optional<int> exit_code;
  };
  // The length of the experiment's streak after this outcome; 0 for a success or a class that does
  // not count (infra).
  int add(const Outcome& outcome);

 private:
  struct Streak {
    campaign::FailureClass cls = campaign::FailureClass::none;
    std::optional<int> exit_code;
    int length = 0;
  };
  std::map<std::uint32_t, Streak> streaks_;
};

// Why the campaign pauses now, "" = it does not. `outcomes`: newest last.
struct LimitInput {
  const campaign::Execution* execution = nullptr;
  const std::vector<std::pair<std::string, campaign::FailureClass>>* outcomes = nullptr;
  std::size_t failed = 0;  // runs failed for good in this session
};
std::string limit_reached(const LimitInput& input);

}  // namespace controller
