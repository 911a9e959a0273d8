#include "controller/session_run.hpp"

#include "controller/errors.hpp"
#include "controller/selector.hpp"

namespace controller {

using campaign::RunPhase;

void SessionRun::apply_selectors() {
  reopen(request_.options.retry, false);
  reopen(request_.options.rerun, true);
}

void SessionRun::reopen(const std::string& text, bool rerun) {
  if (text.empty()) return;
  const Selector selector = Selector::parse(text);
  const campaign::Plan& plan = state_.manifest.plan;
  std::size_t reopened = 0;
  for (const auto& run : plan.runs) {
    const std::string id = campaign::run_id(plan, run);
    const campaign::RunState state = state_.fold.run(id);
    const bool accepted = state.phase == RunPhase::completed || state.phase == RunPhase::aggregated;
    if (!state.done() || (accepted && !rerun) || !selector.matches({&plan, &run, &state})) continue;
    ledger_->append(reopening(state_.fold, id, rerun ? "rerun" : "retry"));
    ++reopened;
  }
  if (reopened == 0)
    throw CommandError(ExitCode::usage, "no run that is done matches '" + text +
                                            "'; `campaignctl status --runs` lists them");
}

std::set<std::size_t> SessionRun::selected() const {
  std::set<std::size_t> indices;
  if (request_.options.only.empty()) return indices;
  const Selector selector = Selector::parse(request_.options.only);
  const campaign::Plan& plan = state_.manifest.plan;
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    const campaign::RunState& state = state_.fold.run(campaign::run_id(plan, plan.runs[i]));
    if (selector.matches({&plan, &plan.runs[i], &state})) indices.insert(i);
  }
  if (indices.empty())
    throw CommandError(ExitCode::usage, "no run matches --only '" + request_.options.only + "'");
  return indices;
}

}  // namespace controller
