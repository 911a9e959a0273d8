// Always runs, and may run again: the conclude hook, and the removal of what is left on the engine.
#include <filesystem>

#include "controller/stages/hooks.hpp"
#include "controller/stages/stage.hpp"

namespace controller {

namespace {

class TeardownStage : public Stage {
 public:
  const char* name() const override { return "teardown"; }
  Part part() const override { return Part::after; }

  Task<> run(RunContext& context, Attempt& attempt) override {
    try {
      co_await run_hook(context, "conclude", context.campaign->hooks.conclude, &attempt);
    } catch (const std::exception& error) {
      context.progress->note(attempt.run + ": " + error.what());
    }
    try {
      co_await context.runner_of(attempt).remove(attempt);
    } catch (const std::exception& error) {
      context.progress->note(attempt.run +
                             ": its container is left for the sweep at the end: " + error.what());
    }
    std::error_code left;
    if (attempt.cold) std::filesystem::remove_all(attempt.paths.home, left);
  }
};

}  // namespace

std::unique_ptr<Stage> make_teardown_stage() { return std::make_unique<TeardownStage>(); }

}  // namespace controller
