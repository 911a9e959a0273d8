#include <array>
#include <map>
#include <set>
#include <unordered_map>

#include "campaign/plan/plan.hpp"
#include "campaign/plan/resolve.hpp"

namespace campaign {
namespace {

using Table = std::map<std::string, Value>;

std::string change(const std::string& key, const Value* before, const Value* now) {
  std::string was = before == nullptr ? "unset" : shown(*before);
  std::string is = now == nullptr ? "unset" : shown(*now);
  if (was == is) {
    was = before == nullptr ? "unset" : canonical_json(*before);
    is = now == nullptr ? "unset" : canonical_json(*now);
  }
  return key + ": " + was + " -> " + is;
}

std::vector<std::string> changes(const Table& before, const Table& now) {
  std::vector<std::string> result;
  std::set<std::string> keys;
  for (const auto& [key, value] : before) keys.insert(key);
  for (const auto& [key, value] : now) keys.insert(key);
  for (const std::string& key : keys) {
    const auto was = before.find(key);
    const auto is = now.find(key);
    const Value* old_value = was == before.end() ? nullptr : &was->second;
    const Value* new_value = is == now.end() ? nullptr : &is->second;
    if (old_value == nullptr || new_value == nullptr || !(*old_value == *new_value))
      result.push_back(change(key, old_value, new_value));
  }
  return result;
}

Table identity(const Campaign& campaign, const Experiment& experiment) {
  Table table;
  for (const auto& [key, leaf] : leaves(experiment.config)) table.emplace(key, *leaf);
  const std::optional<Runner> runner = runner_of(campaign, experiment);
  if (!runner) return table;
  const Value effective = effective_runner(campaign, experiment.config, *runner);
  for (const auto& [key, leaf] : leaves(effective)) table.emplace("runner." + key, *leaf);
  return table;
}

Value optional_number(const std::optional<double>& number) {
  return number ? Value::real(*number) : Value::null();
}

const char* structure_name(Structure structure) {
  switch (structure) {
    case Structure::shuffled:
      return "shuffled";
    case Structure::interleaved:
      return "interleaved";
    case Structure::grouped:
      return "grouped";
    case Structure::balanced:
      return "balanced";
  }
  return "";
}

Value placement_of(const Execution& execution) {
  static const std::map<GpuPlacement, const char*> names = {
      {GpuPlacement::same, "same"}, {GpuPlacement::rotate, "rotate"}, {GpuPlacement::any, "any"}};
  return execution.placement ? Value::string(names.at(*execution.placement)) : Value::null();
}

Table execution_table(const Execution& execution, std::uint64_t seed) {
  Table table{{"structure", Value::string(structure_name(execution.structure))},
              {"seed", Value::string(std::to_string(seed))},
              {"config_gap_seconds", Value::real(execution.config_gap_seconds)},
              {"cycle_gap_seconds", Value::real(execution.cycle_gap_seconds)},
              {"overlap", Value::string(execution.overlap == Overlap::gap ? "gap" : "always")},
              {"pilot", Value::boolean(execution.pilot)},
              {"workers", Value::integer(execution.workers)},
              {"placement", placement_of(execution)},
              {"warmup_prompts", Value::integer(execution.warmup_prompts)},
              {"warmup_timeout_seconds", optional_number(execution.warmup_timeout_seconds)},
              {"skip_after_failures", Value::integer(execution.skip_after_failures)},
              {"retries.backoff_seconds", Value::real(execution.retries.backoff_seconds)},
              {"retries.max_backoff_seconds", Value::real(execution.retries.max_backoff_seconds)},
              {"max_failures",
               execution.max_failures ? Value::integer(*execution.max_failures) : Value::null()}};
  for (const auto& [name, count] : execution.retries.by_class)
    table.emplace("retries." + name, Value::integer(count));
  if (execution.failure_threshold) {
    table.emplace("failure_threshold.rate", Value::real(execution.failure_threshold->rate));
    table.emplace("failure_threshold.window", Value::integer(execution.failure_threshold->window));
  }
  return table;
}

Table container_table(const Campaign& campaign) {
  return {
      {"cold_start.force_cold_start", Value::boolean(campaign.cold_start.force_cold_start)},
      {"cold_start.restart_container", Value::boolean(campaign.cold_start.restart_container)},
      {"health_check.enabled", Value::boolean(campaign.health_check.enabled)},
      {"health_check.interval_experiments",
       Value::integer(campaign.health_check.interval_experiments)},
      {"health_check.gpu_memory_threshold_pct",
       Value::integer(campaign.health_check.gpu_memory_threshold_pct)},
      {"health_check.restart_on_failure", Value::boolean(campaign.health_check.restart_on_failure)},
      {"health_check.max_restarts", Value::integer(campaign.health_check.max_restarts)}};
}

// A gap that `execution` writes is fixed, whatever stands here.
Table thermal_table(const Campaign& campaign) {
  static constexpr std::array modes = {"auto", "fixed", "adaptive", "off"};
  static constexpr std::array sensors = {"auto", "gpu", "hwmon"};
  const Thermal& thermal = campaign.thermal;
  const bool written = campaign.execution.config_gap_written && thermal.mode != Thermal::Mode::none;
  const Thermal::Mode mode = written ? Thermal::Mode::fixed : thermal.mode;
  return {{"mode", Value::string(modes.at(static_cast<std::size_t>(mode)))},
          {"target_c", optional_number(thermal.target_c)},
          {"band_c", Value::real(thermal.band_c)},
          {"stable_c_per_min", Value::real(thermal.stable_c_per_min)},
          {"max_wait", Value::real(thermal.max_wait)},
          {"sensor", Value::string(sensors.at(static_cast<std::size_t>(thermal.sensor)))}};
}

Value list_of(const std::vector<std::string>& texts) {
  Value::List items;
  for (const std::string& text : texts) items.push_back(Value::string(text));
  return Value::list(std::move(items));
}

Table telemetry_table(const Telemetry& telemetry) {
  static constexpr std::array policies = {"keep", "flag", "rerun"};
  const auto policy = [](auto one) {
    return Value::string(policies.at(static_cast<std::size_t>(one)));
  };
  return {{"interval_ms", Value::integer(telemetry.interval_ms)},
          {"sources", list_of(telemetry.sources)},
          {"on_throttle", policy(telemetry.on_throttle)},
          {"on_contamination", policy(telemetry.on_contamination)},
          {"max_reruns", Value::integer(telemetry.max_reruns)}};
}

Table energy_table(const Energy& energy) {
  return {{"enabled", Value::boolean(energy.on())},
          {"sources", list_of(energy.sources)},
          {"baseline.enabled", Value::boolean(energy.baseline.enabled)},
          {"baseline.duration_sec", Value::real(energy.baseline.duration_sec)},
          {"baseline.cache_ttl_sec", Value::real(energy.baseline.cache_ttl_sec)},
          {"allow_process_window", Value::boolean(energy.allow_process_window)}};
}

Table runner_table(const Runner& runner) {
  return {{"timeout", Value::real(runner.timeout)},
          {"stall_timeout", optional_number(runner.stall_timeout)},
          {"stop_grace_period", optional_number(runner.stop_grace_period)},
          {"processes", runner.processes ? Value::integer(*runner.processes) : Value::null()}};
}

class Comparison {
 public:
  Comparison(const PlanSide& before, const PlanSide& now) : before_(before), now_(now) {}

  std::vector<PlanChange> run() {
    experiments();
    cycles();
    protocol("", container_table(*before_.campaign), container_table(*now_.campaign));
    protocol("execution", execution_table(before_.campaign->execution, before_.plan->seed),
             execution_table(now_.campaign->execution, now_.plan->seed));
    protocol("thermal", thermal_table(*before_.campaign), thermal_table(*now_.campaign));
    protocol("telemetry", telemetry_table(before_.campaign->telemetry),
             telemetry_table(now_.campaign->telemetry));
    protocol("energy", energy_table(before_.campaign->energy), energy_table(now_.campaign->energy));
    if (before_.campaign->runner && now_.campaign->runner)
      protocol("runner", runner_table(*before_.campaign->runner),
               runner_table(*now_.campaign->runner));
    for (const auto& [name, runner] : before_.campaign->runners)
      if (const auto at = now_.campaign->runners.find(name); at != now_.campaign->runners.end())
        protocol("runners." + name, runner_table(runner), runner_table(at->second));
    return std::move(changes_);
  }

 private:
  using Kind = PlanChange::Kind;

  void experiments() {
    std::set<std::string> kept;
    for (const Experiment& each : before_.plan->experiments) kept.insert(each.hash);
    std::unordered_map<std::string, const Experiment*> fresh;
    std::set<std::string> present;
    for (const Experiment& each : now_.plan->experiments) {
      present.insert(each.hash);
      if (!kept.contains(each.hash)) fresh.emplace(each.name, &each);
    }
    std::set<std::string> matched;
    for (const Experiment& old : before_.plan->experiments) {
      if (present.contains(old.hash)) continue;
      const auto at = fresh.find(old.name);
      if (at == fresh.end()) {
        changes_.push_back({Kind::removed_experiment, old.name, {}});
        continue;
      }
      matched.insert(old.name);
      changes_.push_back(
          {Kind::changed_experiment, old.name,
           changes(identity(*before_.campaign, old), identity(*now_.campaign, *at->second))});
    }
    for (const Experiment& each : now_.plan->experiments)
      if (!kept.contains(each.hash) && !matched.contains(each.name))
        changes_.push_back({Kind::added_experiment, each.name, {}});
  }

  void cycles() {
    const int was = before_.campaign->execution.cycles;
    const int is = now_.campaign->execution.cycles;
    if (was == is) return;
    changes_.push_back({is > was ? Kind::added_cycles : Kind::removed_cycles,
                        "cycles",
                        {"cycles: " + std::to_string(was) + " -> " + std::to_string(is)}});
  }

  void protocol(const std::string& prefix, const Table& before, const Table& now) {
    for (const std::string& text : changes(before, now)) {
      const std::string key = prefix + (prefix.empty() ? "" : ".") + text;
      changes_.push_back({Kind::protocol, key.substr(0, key.find(':')), {key}});
    }
  }

  const PlanSide& before_;
  const PlanSide& now_;
  std::vector<PlanChange> changes_;
};

}  // namespace

std::string PlanChange::text() const {
  std::string listed;
  for (const std::string& key : keys) listed += (listed.empty() ? "" : "; ") + key;
  switch (kind) {
    case Kind::added_experiment:
      return "experiment `" + subject + "` is new";
    case Kind::removed_experiment:
      return "experiment `" + subject + "` is gone";
    case Kind::changed_experiment:
      return "experiment `" + subject + "` changed: " + listed;
    case Kind::added_cycles:
    case Kind::removed_cycles:
      return listed;
    case Kind::protocol:
      return "protocol: " + listed;
  }
  return listed;
}

std::vector<PlanChange> compare_plans(const PlanSide& before, const PlanSide& now) {
  return Comparison(before, now).run();
}

}  // namespace campaign
