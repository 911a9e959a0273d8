// What a dead controller left is taken up: observe the engine and the folders, decide
// (campaign/state/reconcile), carry out. The steps that need a run to go on become attempts for the
// sequencer.
#pragma once

#include "campaign/state/reconcile.hpp"
#include "controller/sequencer.hpp"

namespace controller {

struct RecoveryInput {
  RunContext* context = nullptr;
  container::Engine* engine = nullptr;                     // null when nothing runs in containers
  const std::vector<campaign::Runner>* runners = nullptr;  // per experiment
  bool abandon_engine = false;
};

// Throws CommandError(damaged) where the table says `refuse`, CommandError(environment) for
// attempts of another engine.
Task<std::vector<AttemptPtr>> recover(const RecoveryInput& input);

// Removes every container with our uid. Called with the lock held and nothing under way: at the
// end, and for --new.
Task<std::vector<std::string>> sweep(container::Engine& engine, const std::string& uid);

// Everything that `reconcile` needs to know, read from the engine and the folders.
Task<campaign::ReconcileInput> observe(const RunContext& context, container::Engine* engine);

}  // namespace controller
