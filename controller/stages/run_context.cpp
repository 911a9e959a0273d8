#include "controller/stages/run_context.hpp"

#include <algorithm>

namespace controller {

namespace {

// Another attempt of the same run is the same neighbour.
void meets(Attempt& attempt, const Attempt& other) {
  if (std::ranges::find(attempt.neighbours, other.run) == attempt.neighbours.end())
    attempt.neighbours.push_back(other.run);
}

}  // namespace

UnderWay::UnderWay(RunContext& context, Attempt& attempt) : context_(context), attempt_(attempt) {
  for (Attempt* other : context_.under_way) {
    meets(attempt, *other);
    meets(*other, attempt);
  }
  context_.under_way.push_back(&attempt);
}

UnderWay::~UnderWay() { std::erase(context_.under_way, &attempt_); }

const WorkerStatus* waiting_worker(const RunContext& context) {
  const WorkerStatus* first = nullptr;
  for (const WorkerStatus& worker : context.workers) {
    if (worker.wait.reason.empty()) continue;
    if (!worker.wait.until_utc) return &worker;
    if (!first) first = &worker;
  }
  return first;
}

const Wait& shown_wait(const RunContext& context) {
  const WorkerStatus* worker = waiting_worker(context);
  return worker && context.engine_wait.reason.empty() ? worker->wait : context.engine_wait;
}

Waiting::Waiting(RunContext& context, int worker, Wait wait)
    : shown_(context.workers[static_cast<std::size_t>(worker)].wait) {
  show(std::move(wait));
}

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
