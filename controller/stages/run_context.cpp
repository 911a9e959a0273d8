#include "controller/stages/run_context.hpp"

#include <algorithm>

namespace controller {

AttemptPaths attempt_paths(const campaign::ResultsFolder& results, const Attempt& attempt) {
  AttemptPaths paths;
  paths.results = attempt.pilot ? results.pilot(attempt.name()) : results.attempt(attempt.name());
  paths.ctl = results.ctl(attempt.name());
  paths.home = results.home(attempt.cold ? attempt.name() : attempt.experiment->name);
  paths.exchange =
      attempt.runner->launch.empty() ? paths.results.parent_path() : paths.ctl / "exchange";
  return paths;
}

double seconds_left(const campaign::Deadline& deadline, const campaign::Clock& clock) {
  if (deadline.boot == clock.boot_id()) return std::max(0.0, deadline.boottime - clock.boottime());
  return std::clamp(deadline.utc - clock.utc(), 0.0, deadline.length);
}

}  // namespace controller
