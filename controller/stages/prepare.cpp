// Folders, the payload's config, the prepare hook, and the container or gated process.
#include <filesystem>

#include "campaign/state/files.hpp"
#include "controller/stages/hooks.hpp"
#include "controller/stages/stage.hpp"

namespace controller {

namespace fs = std::filesystem;

namespace {

// A payload under another uid than ours must be able to write; the folders above stay private.
void open_to_all(const fs::path& folder) { fs::permissions(folder, fs::perms::all); }

// A number that was released may be used again: what a hook left for it goes. Nothing of this has
// to outlive the host: an attempt that it cuts off is made anew, and one that is accepted is made
// durable then.
void lay_out(const Attempt& attempt) {
  if (attempt.entry == Entry::fresh) fs::remove_all(attempt.paths.results);
  if (attempt.cold) fs::remove_all(attempt.paths.home);
  campaign::make_scratch_folders(attempt.paths.results);
  campaign::make_scratch_folders(attempt.paths.ctl);
  campaign::make_scratch_folders(attempt.paths.home);
  const fs::path config = attempt.paths.ctl / "config.yaml";
  campaign::write_scratch(config, campaign::to_yaml(attempt.experiment->config));
  if (attempt.runner->user == "host" || attempt.runner->type == campaign::RunnerType::local) return;
  for (const fs::path& folder : {attempt.paths.results, attempt.paths.ctl, attempt.paths.home})
    open_to_all(folder);
  fs::permissions(config, fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
}

class PrepareStage : public Stage {
 public:
  const char* name() const override { return "prepare"; }
  Part part() const override { return Part::ahead; }

  Task<> run(RunContext& context, Attempt& attempt) override {
    lay_out(attempt);
    co_await run_hook(context, "prepare", context.campaign->hooks.prepare, &attempt);
    while (!attempt.prepared) {
      if (context.stop->now()) throw ReleasedBeforeStart();
      std::string away;
      try {
        co_await context.runner_of(attempt).prepare(attempt);
        attempt.prepared = true;
      } catch (const EngineAway& error) {
        away = error.what();
      }
      if (!attempt.prepared && !co_await context.engine_is_back()) throw EngineAway(away);
    }
  }
};

}  // namespace

std::unique_ptr<Stage> make_prepare_stage() { return std::make_unique<PrepareStage>(); }

}  // namespace controller
