// Looks at the circumstances, makes the attempt `running` in the journal, durably, and then lets it
// go.
#include "controller/environment/watch.hpp"
#include "controller/stages/stage.hpp"
#include "controller/telemetry/recorder.hpp"

namespace controller {

namespace {

class StartStage : public Stage {
 public:
  const char* name() const override { return "start"; }
  Part part() const override { return Part::during; }

  Task<> run(RunContext& context, Attempt& attempt) override {
    if (!attempt.started && !attempt.pilot) co_await look(context, attempt);
    if (context.recorder) co_await context.recorder->begin(attempt);
    if (context.stop->now() && !attempt.started) {
      if (context.recorder) context.recorder->drop(attempt);
      throw ReleasedBeforeStart();
    }
    if (context.ledger->fold().run(attempt.run).phase != campaign::RunPhase::running ||
        attempt.pilot)
      context.ledger->append(campaign::event::Starting{.run = attempt.run,
                                                       .attempt = attempt.number,
                                                       .container_id = attempt.container_id,
                                                       .pid = attempt.pid,
                                                       .pid_start = attempt.pid_start,
                                                       .utc = context.clock->utc(),
                                                       .server = attempt.server_id,
                                                       .gap = attempt.gap});
    attempt.started = true;
    context.progress->run_started(attempt.run, attempt.number);
    co_await go(context, attempt);
    if (context.recorder) co_await context.recorder->started(attempt);
  }

 private:
  static Task<> look(RunContext& context, Attempt& attempt) {
    if (!context.watch) co_return;
    attempt.environment = co_await context.watch->look(attempt.devices);
    const std::vector<std::string>& notes = context.watch->notes();
    attempt.notes.insert(attempt.notes.end(), notes.begin(), notes.end());
  }

  // A start whose answer was lost may have been carried out: from then on it is adopted, never
  // started blindly.
  static Task<> go(RunContext& context, Attempt& attempt) {
    bool adopt = attempt.entry != Entry::fresh && attempt.entry != Entry::create_again;
    for (;;) {
      std::string away;
      try {
        Runner& runner = context.runner_of(attempt);
        co_await (adopt ? runner.adopt(attempt) : runner.start(attempt));
        co_return;
      } catch (const EngineAway& error) {
        away = error.what();
      }
      adopt = true;
      attempt.ending.engine_gap = true;
      if (!co_await context.engine_is_back()) throw EngineAway(away);
    }
  }
};

}  // namespace

std::unique_ptr<Stage> make_start_stage() { return std::make_unique<StartStage>(); }

}  // namespace controller
