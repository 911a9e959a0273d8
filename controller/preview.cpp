// The plan of a campaign file against the session that it would go on with. Reads only.
#include <filesystem>
#include <set>

#include "controller/selector.hpp"
#include "controller/session.hpp"
#include "controller/session_state.hpp"

namespace controller {

namespace {

using campaign::RunPhase;

std::optional<SessionView> earlier_session(const campaign::Campaign& campaign,
                                           const UpOptions& options) {
  const std::filesystem::path folder = std::filesystem::path(campaign.io.state_dir) / campaign.id;
  if (options.fresh || !std::filesystem::exists(folder / "latest")) return std::nullopt;
  const Located located{.state_dir = campaign.io.state_dir,
                        .campaign_id = campaign.id,
                        .session = {std::filesystem::canonical(folder / "latest")}};
  SessionView view = read_session(located);
  if (view.fold.abandoned) return std::nullopt;
  return view;
}

void say_what_happens(PreviewRun& run, const campaign::RunState& state) {
  const std::string attempt = "attempt " + std::to_string(state.attempt);
  switch (state.phase) {
    case RunPhase::completed:
    case RunPhase::aggregated:
      run.action = "skip", run.why = "completed (" + attempt + ")";
      return;
    case RunPhase::skipped:
      run.action = "skip", run.why = "skipped: " + state.message;
      return;
    case RunPhase::initialised:
    case RunPhase::running:
      run.action = "adopt", run.why = attempt + " is under way, or was left by a dead controller";
      return;
    case RunPhase::interrupted:
      run.action = "retry", run.why = attempt + " was interrupted";
      return;
    case RunPhase::pending:
      run.action = "run", run.why = "not run yet";
      return;
    case RunPhase::failed:
      break;
  }
  run.action = state.final ? "skip" : "retry";
  run.why = attempt + " failed (" + campaign::name_of(state.cls) + ")" +
            (state.final ? ", no attempts left" : "");
}

void apply_options(PreviewRun& preview, const UpOptions& options,
                   const Selector::Subject& subject) {
  const bool done = subject.state->done();
  const bool accepted =
      subject.state->phase == RunPhase::completed || subject.state->phase == RunPhase::aggregated;
  const auto selects = [&](const std::string& text) {
    return !text.empty() && Selector::parse(text).matches(subject);
  };
  if (done && (selects(options.rerun) || (!accepted && selects(options.retry))))
    preview.action = "run", preview.why = "asked for by --rerun or --retry";
  if (!options.only.empty() && !selects(options.only))
    preview.action = "skip", preview.why = "not selected by --only";
}

std::vector<std::optional<double>> estimates(const campaign::Campaign& campaign,
                                             const campaign::Plan& plan,
                                             const campaign::Fold* fold) {
  std::vector<std::optional<double>> seconds(plan.experiments.size());
  for (std::size_t i = 0; i < seconds.size(); ++i)
    seconds[i] = campaign::runner_for(campaign, plan.experiments[i].backend)->estimate;
  if (!fold) return seconds;
  for (const campaign::PlannedRun& run : plan.runs) {
    const campaign::RunState& state = fold->run(campaign::run_id(plan, run));
    std::optional<double>& known = seconds[run.experiment];
    if (state.phase == RunPhase::completed) known = std::max(known.value_or(0), state.duration);
  }
  return seconds;
}

}  // namespace

Preview preview(const campaign::Campaign& campaign, const UpOptions& options) {
  Preview result{.campaign = campaign, .plan = campaign::make_plan(campaign)};
  const auto view = earlier_session(campaign, options);
  std::vector<std::string> changed;
  if (view) {
    Continuation next = continue_plan(campaign, view->manifest, view->fold);
    if (next.changes.empty())
      result.plan = view->manifest.plan;
    else
      result.plan = std::move(next.plan);
    result.changes = std::move(next.changes);
    changed = std::move(next.changed_runs);
    result.goes_on = true;
  }
  const std::set<std::string> changed_runs(changed.begin(), changed.end());
  const campaign::Fold empty;
  const campaign::Fold& fold = view ? view->fold : empty;
  for (const campaign::PlannedRun& run : result.plan.runs) {
    PreviewRun line{.run = campaign::run_id(result.plan, run),
                    .experiment = result.plan.experiments[run.experiment].name,
                    .cycle = run.cycle};
    const campaign::RunState& state = fold.run(line.run);
    say_what_happens(line, state);
    if (changed_runs.contains(line.run))
      line.action = "changed", line.why = "its experiment has changed";
    apply_options(line, options, {&result.plan, &run, &state});
    result.runs.push_back(std::move(line));
  }
  result.forecast =
      campaign::forecast({.campaign = &campaign,
                          .plan = &result.plan,
                          .seconds = estimates(campaign, result.plan, view ? &fold : nullptr)});
  return result;
}

}  // namespace controller
