// The plan of a campaign file against the session that it would go on with. Reads only.
#include <algorithm>
#include <filesystem>
#include <set>

#include "campaign/state/session_state.hpp"
#include "controller/compose_services.hpp"
#include "controller/errors.hpp"
#include "controller/gpu/discover.hpp"
#include "controller/selector.hpp"
#include "controller/session.hpp"
#include "controller/session_state.hpp"
#include "controller/session_wishes.hpp"

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

std::vector<gpu::Asked> gpu_wishes(const campaign::Campaign& campaign, const campaign::Plan& plan) {
  std::optional<compose::Project> project;
  if (!services_in_use(campaign, plan).empty()) project = planned_project(campaign, plan);
  std::vector<gpu::Asked> wishes;
  for (const campaign::Experiment& experiment : plan.experiments)
    wishes.push_back(written_wish(campaign, experiment, project ? &*project : nullptr)
                         .value_or(gpu::Asked{.experiment = experiment.name}));
  return wishes;
}

std::optional<int> devices_of(const gpu::Asked& asked) {
  using Kind = campaign::GpuWish::Kind;
  if (asked.wish.kind == Kind::none) return 0;
  if (asked.wish.kind == Kind::count) return asked.wish.count;
  if (asked.wish.kind == Kind::ids) return static_cast<int>(asked.wish.ids.size());
  return std::nullopt;
}

constexpr double look_within = 2;  // seconds: it is advice, not a condition

// What `up` would say of the GPUs of this host just now; "" = it would begin.
std::string gpu_refusal(const campaign::Campaign& campaign, const std::vector<gpu::Asked>& asked,
                        const campaign::Fold& fold) {
  if (std::ranges::all_of(asked, [](const gpu::Asked& one) { return devices_of(one) == 0; }))
    return "";
  try {
    const gpu::Inventory inventory = gpu::discover({.patience = look_within});
    const gpu::Grant grant =
        gpu::grant_of(inventory.devices, gpu::grant_words(campaign::process_environment()));
    gpu::allot({.wish = campaign.gpus,
                .wait = campaign.gpus_wait,
                .asked = asked,
                .inventory = inventory,
                .grant = grant,
                .taken = taken_by_others(inventory, {}, fold)});
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

// A session that is being run has its devices.
bool is_being_run(const std::optional<SessionView>& view) {
  return view && !campaign::lock_is_free(view->located.session.lock());
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
  std::vector<gpu::Asked> asked = gpu_wishes(campaign, result.plan);
  campaign::ForecastRequest request{
      .campaign = &campaign,
      .plan = &result.plan,
      .seconds = estimates(campaign, result.plan, view ? &fold : nullptr)};
  for (const gpu::Asked& one : asked) request.gpus.push_back(devices_of(one));
  result.forecast = campaign::forecast(request);
  leave_out_done(asked, {.campaign = &campaign,
                         .plan = &result.plan,
                         .fold = &fold,
                         .options = &options,
                         .revised = !result.changes.empty()});
  auto& warnings = result.campaign.warnings;
  warnings.insert(warnings.end(), result.plan.warnings.begin(), result.plan.warnings.end());
  if (is_being_run(view)) return result;
  const std::string refusal = gpu_refusal(campaign, asked, fold);
  if (!refusal.empty()) warnings.push_back("`up` would refuse this here and now: " + refusal);
  return result;
}

}  // namespace controller
