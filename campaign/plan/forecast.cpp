#include <algorithm>
#include <unordered_set>

#include "campaign/plan/plan.hpp"

namespace campaign {
namespace {

double gap_seconds(const Campaign& campaign, const std::vector<PlannedRun>& runs) {
  const Execution& execution = campaign.execution;
  const double usual = config_gap(campaign);
  const bool none = campaign.thermal.mode == Thermal::Mode::none;
  const double longer = none ? 0 : std::max(usual, execution.cycle_gap_seconds);
  const bool grouped = execution.structure == Structure::grouped;
  std::unordered_set<std::int32_t> entered;
  double total = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const bool first_of_cycle = entered.insert(runs[i].cycle).second;
    if (i == 0) continue;
    const bool boundary = grouped ? runs[i].experiment != runs[i - 1].experiment : first_of_cycle;
    total += boundary ? longer : usual;
  }
  return total;
}

bool has_adaptive_gaps(const Campaign& campaign, const Plan& plan) {
  if (campaign.execution.config_gap_written) return false;
  if (campaign.thermal.mode != Thermal::Mode::automatic)
    return campaign.thermal.mode == Thermal::Mode::adaptive;
  return std::ranges::any_of(plan.experiments, [&](const Experiment& experiment) {
    const auto runner = runner_of(campaign, experiment);
    return runner && runner->gpus && runner->gpus->kind != GpuWish::Kind::none;
  });
}

}  // namespace

Forecast forecast(const ForecastRequest& request) {
  const Execution& execution = request.campaign->execution;
  const Plan& plan = *request.plan;
  const auto estimate = [&](std::size_t experiment) -> std::optional<double> {
    return experiment < request.seconds.size() ? request.seconds[experiment] : std::nullopt;
  };
  Forecast result{.runs = plan.runs.size(),
                  .gap_seconds = gap_seconds(*request.campaign, plan.runs)};
  result.adaptive_gaps = has_adaptive_gaps(*request.campaign, plan);
  const auto add = [&](std::size_t experiment) {
    const auto seconds = estimate(experiment);
    const auto gpus = experiment < request.gpus.size() ? request.gpus[experiment] : 0;
    result.run_seconds += seconds.value_or(0);
    result.gpu_seconds += seconds.value_or(0) * gpus.value_or(0);
    result.more_gpu_seconds |= !gpus || (*gpus > 0 && !seconds);
  };
  for (const PlannedRun& run : plan.runs) {
    if (!estimate(run.experiment)) ++result.unknown_runs;
    add(run.experiment);
  }
  if (execution.pilot && !plan.runs.empty())
    for (std::size_t i = 0; i < plan.experiments.size(); ++i) {
      add(i);
      result.gap_seconds += config_gap(*request.campaign);
    }
  const int workers = std::max(execution.workers, 1);
  result.run_seconds /= workers;
  result.gap_seconds /= workers;
  return result;
}

}  // namespace campaign
