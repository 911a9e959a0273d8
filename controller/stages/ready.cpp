// Between the gap and the start: what the run needs is made ready, and warmed up. An engine that
// goes away meanwhile is waited for.
#include "controller/stages/stage.hpp"
#include "controller/telemetry/recorder.hpp"

namespace controller {

namespace {

using Verb = Task<> (Runner::*)(Attempt&);

Task<> until_done(RunContext& context, Attempt& attempt, Verb verb) {
  const auto busy = context.recorder ? context.recorder->busy() : nullptr;
  for (;;) {
    if (context.stop->now()) throw ReleasedBeforeStart();
    std::string away;
    try {
      co_await (context.runner_of(attempt).*verb)(attempt);
      co_return;
    } catch (const EngineAway& error) {
      away = error.what();
    }
    if (!co_await context.engine_is_back()) throw EngineAway(away);
  }
}

class ReadyStage : public Stage {
 public:
  const char* name() const override { return "ready"; }
  Part part() const override { return Part::before; }
  Task<> run(RunContext& context, Attempt& attempt) override {
    co_await until_done(context, attempt, &Runner::make_ready);
  }
};

class WarmupStage : public Stage {
 public:
  const char* name() const override { return "warmup"; }
  Part part() const override { return Part::before; }
  Task<> run(RunContext& context, Attempt& attempt) override {
    co_await until_done(context, attempt, &Runner::warm_up);
  }
};

}  // namespace

std::unique_ptr<Stage> make_ready_stage() { return std::make_unique<ReadyStage>(); }
std::unique_ptr<Stage> make_warmup_stage() { return std::make_unique<WarmupStage>(); }

}  // namespace controller
