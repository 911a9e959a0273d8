// Keeps the distance to the last run of the same worker, counted from its end. The deadline is
// journalled.
#include <algorithm>
#include <cmath>

#include "controller/stages/stage.hpp"
#include "controller/telemetry/recorder.hpp"

namespace controller {

namespace {

// A gap that an earlier controller began counts on, unless the protocol has another length now.
bool takes_up(const RunContext& context, const Attempt& attempt) {
  return context.resumed_gap && context.resumed_gap_run == attempt.run &&
         context.resumed_gap->length == attempt.gap_length;
}

campaign::Deadline deadline_of(const RunContext& context, const Attempt& attempt) {
  if (takes_up(context, attempt)) return *context.resumed_gap;
  const double last = context.workers[static_cast<std::size_t>(attempt.worker)].finished_boottime;
  const double now = context.clock->boottime();
  const double length = last == 0 ? 0 : attempt.gap_length;
  const double until = std::clamp(last + length, now, now + length);
  return {.boottime = until,
          .boot = context.clock->boot_id(),
          .utc = context.clock->utc() + (until - now),
          .length = length};
}

class GapStage : public Stage {
 public:
  const char* name() const override { return "gap"; }
  Part part() const override { return Part::before; }

  Task<> run(RunContext& context, Attempt& attempt) override {
    const campaign::Deadline deadline = deadline_of(context, attempt);
    const double last = context.workers[static_cast<std::size_t>(attempt.worker)].finished_boottime;
    if (seconds_left(deadline, *context.clock) > 0) {
      const bool resumed = takes_up(context, attempt);
      context.ledger->append(campaign::event::GapStarted{.run = attempt.run,
                                                         .attempt = attempt.number,
                                                         .until = deadline,
                                                         .reason = resumed ? "resumed" : "fixed"});
      co_await keep(context, deadline);
    }
    context.resumed_gap.reset();
    co_await rest(context, attempt);
    attempt.gap_seconds = last == 0 ? 0 : context.clock->boottime() - last;
  }

 private:
  // The machine and the run's GPUs without any run, for what is taken off their energy.
  static Task<> rest(RunContext& context, const Attempt& attempt) {
    if (!context.recorder || !context.measuring.empty() ||
        context.recorder->seconds_of_rest(attempt.devices) <= 0)
      co_return;
    context.wait_reason = "the machine is measured at rest";
    co_await context.recorder->measure_rest(attempt.devices,
                                            [&] { return context.stop->no_new_runs(); });
    context.wait_reason.clear();
    if (context.stop->no_new_runs()) throw ReleasedBeforeStart();
  }

  static Task<> keep(RunContext& context, const campaign::Deadline& deadline) {
    for (double left = 1; (left = seconds_left(deadline, *context.clock)) > 0;) {
      if (context.stop->no_new_runs()) {
        context.wait_reason.clear();
        throw ReleasedBeforeStart();
      }
      context.wait_reason = "gap, " + std::to_string(std::lround(std::ceil(left))) + " s left";
      context.wait_until_utc = context.clock->utc() + left;
      co_await context.wake->wait(left);
    }
    context.wait_reason.clear();
    context.wait_until_utc.reset();
  }
};

}  // namespace

std::unique_ptr<Stage> make_gap_stage() { return std::make_unique<GapStage>(); }

}  // namespace controller
