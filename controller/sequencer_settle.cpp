// What the end of a run means for the others, and what is shown of them all.
#include <algorithm>

#include "controller/progress/format.hpp"
#include "controller/sequencer.hpp"

namespace controller {

using campaign::FailureClass;
using campaign::RunPhase;

// Counts first, so that what is shown with the end of a run includes it.
void Sequencer::settle(const Attempt& attempt) {
  WorkerStatus& worker = context_.workers[static_cast<std::size_t>(attempt.worker)];
  if (worker.run == attempt.run) worker.run.clear();
  const campaign::RunState& state = fold_.run(attempt.run);
  const bool ok = attempt.cls == FailureClass::none;
  const bool failed = !attempt.pilot && state.phase == RunPhase::failed && state.final;
  if (attempt.pilot)
    --pilots_in_flight_;
  else
    std::erase_if(in_flight_, [&](std::size_t i) { return order_.id(i) == attempt.run; });
  failed_ += failed;
  if (ok && !attempt.pilot) {
    ++completed_;
    ++worker.completed;
  }
  tell(attempt);
  if (!attempt.pilot && (ok || failed)) weigh(attempt, failed);
}

void Sequencer::tell(const Attempt& attempt) {
  const bool ok = attempt.cls == FailureClass::none;
  std::string text = "ok";
  if (!ok)
    text = std::string(campaign::name_of(attempt.cls)) + ": " + attempt.message + " (" +
           attempt.paths.results.string() + ")";
  context_.progress->run_ended({.run = attempt.run,
                                .attempt = attempt.number,
                                .ok = ok,
                                .seconds = attempt.ending.finished_utc - attempt.ending.started_utc,
                                .text = text,
                                .invalid = attempt.invalid_reason});
  context_.progress->tick(progress());
}

// What a run's end means for the others: runs to skip, a limit that pauses.
void Sequencer::weigh(const Attempt& attempt, bool failed) {
  const campaign::Execution& execution = context_.campaign->execution;
  const std::uint32_t experiment = attempt.planned.experiment;
  const int streak = streaks_.add({experiment, attempt.cls, attempt.ending.exit_code});
  if (failed && attempt.cls == FailureClass::config)
    skip_rest(experiment, "config");
  else if (execution.skip_after_failures > 0 && streak >= execution.skip_after_failures)
    skip_rest(experiment, "repeat_failure");
  const std::string limit =
      limit_reached({.execution = &execution, .outcomes = &fold_.outcomes, .failed = failed_});
  if (limit.empty() || !end_.paused.empty()) return;
  end_.paused = limit;
  context_.stop->raise(StopLevel::after_run, limit);
}

void Sequencer::skip_rest(std::uint32_t experiment, const std::string& reason) {
  std::vector<campaign::Event> events;
  for (std::size_t i = 0; i < plan_.runs.size(); ++i)
    if (plan_.runs[i].experiment == experiment && !in_flight_.contains(i) &&
        !fold_.run(order_.id(i)).done() && fold_.run(order_.id(i)).phase == RunPhase::pending)
      events.push_back(campaign::event::Skipped{.run = order_.id(i), .reason = reason});
  if (events.empty()) return;
  skipped_ += events.size();
  context_.ledger->append(events);
  context_.progress->note(plan_.experiments[experiment].name + ": " +
                          text::plural(events.size(), "run") +
                          (events.size() == 1 ? " is" : " are") + " skipped (" + reason + ")");
}

ProgressState Sequencer::progress() const {
  ProgressState state{.campaign = context_.campaign->name,
                      .session = context_.manifest->session,
                      .total = plan_.runs.size(),
                      .completed = completed_,
                      .failed = failed_,
                      .skipped = skipped_,
                      .running = context_.under_way.size(),
                      .cycle = fold_.cycle_entered,
                      .cycles = context_.campaign->execution.cycles,
                      .elapsed = context_.clock->boottime() - begin_,
                      .wait = shown_wait(context_)};
  for (std::size_t i = 0; i < context_.workers.size(); ++i)
    state.workers.push_back({.id = static_cast<int>(i),
                             .run = context_.workers[i].run,
                             .stage = context_.workers[i].stage,
                             .since_utc = context_.workers[i].since_utc});
  std::size_t done_here = 0;
  for (const WorkerStatus& worker : context_.workers) done_here += worker.completed;
  const std::size_t left =
      plan_.runs.size() - std::min(plan_.runs.size(), completed_ + failed_ + skipped_);
  if (done_here > 0)
    state.eta = state.elapsed / static_cast<double>(done_here) * static_cast<double>(left);
  return state;
}

}  // namespace controller
