// Waits for the end of a running attempt: its witnesses, its time limit, signs of life, and our own
// stop.
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "controller/classify.hpp"
#include "controller/stages/stage.hpp"
#include "controller/telemetry/recorder.hpp"

namespace controller {

namespace {

constexpr double look_every = 30;  // seconds between looks when no witness tells

double last_change(const std::filesystem::path& file) {
  struct stat status{};
  if (stat(file.c_str(), &status) != 0) return 0;
  return static_cast<double>(status.st_mtim.tv_sec) +
         static_cast<double>(status.st_mtim.tv_nsec) * 1e-9;
}

class MeasureStage : public Stage {
 public:
  const char* name() const override { return "measure"; }
  Part part() const override { return Part::during; }

  Task<> run(RunContext& context, Attempt& attempt) override {
    attempt.looked_boottime = context.clock->boottime();
    if (attempt.ending.started_utc <= 0 && !attempt.resumed)
      attempt.ending.started_utc = context.clock->utc();
    std::exception_ptr failure;
    try {
      while (!co_await over(context, attempt)) co_await until_something(context, attempt);
    } catch (...) {
      failure = std::current_exception();
    }
    if (context.recorder) context.recorder->ended(attempt);
    if (failure) std::rethrow_exception(failure);
    settle_times(context, attempt);
  }

 private:
  static double started_utc(const RunContext& context, const Attempt& attempt) {
    if (attempt.ending.started_utc > 0) return attempt.ending.started_utc;
    const double journalled = context.ledger->fold().run(attempt.run).started_utc;
    return journalled > 0 ? journalled : context.clock->utc();
  }

  static double limit_left(const RunContext& context, const Attempt& attempt) {
    return started_utc(context, attempt) + attempt.runner->timeout - context.clock->utc();
  }

  static double stall_left(const RunContext& context, const Attempt& attempt) {
    if (!attempt.runner->stall_timeout) return std::numeric_limits<double>::infinity();
    double alive = started_utc(context, attempt);
    for (const auto& file : {attempt.paths.ctl / "stdout.log", attempt.paths.ctl / "stderr.log",
                             attempt.paths.results / "metrics.jsonl"})
      alive = std::max(alive, last_change(file));
    return alive + *attempt.runner->stall_timeout - context.clock->utc();
  }

  static Task<> until_something(RunContext& context, const Attempt& attempt) {
    const double left =
        std::min({limit_left(context, attempt), stall_left(context, attempt), look_every});
    if (!attempt.exit_seen && !context.stop->now())
      co_await context.wake->wait(std::max(left, 0.001));
  }

  // One look: ended by itself, or to be ended by us. Looks at the engine only when there is a
  // reason to.
  Task<bool> over(RunContext& context, Attempt& attempt) {
    const OurStop reason = our_stop(context, attempt);
    const double now = context.clock->boottime();
    const bool due = now - attempt.looked_boottime > look_every;
    if (!attempt.exit_seen && reason == OurStop::none && !due) co_return false;
    attempt.looked_boottime = now;
    std::string away;
    try {
      if (co_await context.runner_of(attempt).ended(attempt)) {
        // Nothing more is started on an engine that is shutting down.
        if (!attempt.container_id.empty() && looks_like_the_engines_doing(attempt.ending))
          co_await context.ask_engine_anew();
        co_return true;
      }
      if (reason == OurStop::none) co_return false;
      attempt.our_stop = reason;
      co_await stop(context, attempt);
      co_return true;
    } catch (const EngineAway& error) {
      away = error.what();
    }
    co_await come_back(context, attempt, away);
    co_return false;
  }

  static OurStop our_stop(const RunContext& context, const Attempt& attempt) {
    if (context.stop->now()) return OurStop::stopped;
    if (limit_left(context, attempt) <= 0) return OurStop::timeout;
    return stall_left(context, attempt) <= 0 ? OurStop::stalled : OurStop::none;
  }

  static Task<> stop(RunContext& context, Attempt& attempt) {
    const auto hurry = [&context] { return context.stop->level() == StopLevel::kill; };
    const double grace = hurry() ? 0 : attempt.grace();
    co_await context.runner_of(attempt).stop(attempt, {.grace = grace, .hurry = hurry});
  }

  // The engine was away: what its container does now decides; the witnesses that were cut are
  // opened anew.
  static Task<> come_back(RunContext& context, Attempt& attempt, const std::string& away) {
    attempt.ending.engine_gap = true;
    attempt.our_stop = OurStop::none;
    if (!co_await context.engine_is_back()) throw EngineAway(away);
    attempt.exit_seen = true;
  }

  static void settle_times(const RunContext& context, Attempt& attempt) {
    const double now = context.clock->utc();
    if (attempt.ending.finished_utc <= 0 || attempt.ending.finished_utc > now)
      attempt.ending.finished_utc = now;
    if (attempt.ending.started_utc <= 0) attempt.ending.started_utc = started_utc(context, attempt);
    attempt.finished_boottime = context.clock->boottime() - (now - attempt.ending.finished_utc);
  }
};

}  // namespace

std::unique_ptr<Stage> make_measure_stage() { return std::make_unique<MeasureStage>(); }

}  // namespace controller
