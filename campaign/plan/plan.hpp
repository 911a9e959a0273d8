// What a campaign will run, in which order, decided before anything happens. Pure: same campaign, same plan, on
// every platform. Identity and order: docs/planning.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "campaign/config/campaign.hpp"

namespace campaign {

struct Provenance {
  std::string key;  // dotted
  std::string value;
  std::string source;         // file, set, per_backend, axis, experiment, cli, default
  std::string source_detail;  // "campaign.yaml:4:9"
};

// One resolved configuration.
struct Experiment {
  std::string name;     // safe for files and containers: [a-z0-9._-], at most 60
  std::string backend;  // "" where the campaign has none
  std::string hash;     // SHA-256 (hex) over canonical JSON of config and effective runner; see experiment_hash
  Value config;         // resolved, as the payload sees it
  Value axes;           // map: the varying keys and their values (columns of tables)
  std::vector<Provenance> provenance;
};

// One experiment in one cycle.
struct PlannedRun {
  std::uint32_t experiment = 0;  // index into Plan::experiments
  std::int32_t cycle = 1;        // from 1
  std::int32_t block = 0;        // > 0: appended after the cycle had started, outside paired comparisons
};

struct Plan {
  std::vector<Experiment> experiments;
  std::vector<PlannedRun> runs;  // in the order in which they are drawn
  std::uint64_t seed = 0;
  std::vector<std::string> warnings;
};

// "<experiment>.c<cycle>", at least two digits.
std::string run_id(const Experiment& experiment, int cycle);
std::string run_id(const Plan& plan, const PlannedRun& run);
std::string pilot_id(const Experiment& experiment);  // "<experiment>.p"

// Expands configs, axes and experiments, in this order, resolves and names them, orders the runs.
// Throws ConfigError (unknown placeholder, two experiments with one hash or name, none at all, no runner).
Plan make_plan(const Campaign& campaign);

// Hash over the resolved config and the effective runner (image as written unless `image_identity` is given,
// command, env without secret values, mounts, limits); gaps, workers, retries, timeouts are protocol and not in it.
std::string experiment_hash(const Campaign& campaign, const Value& config, const Runner& runner);

// Names are fixed by the first manifest: experiments of `plan` whose hash is in `earlier` take its name.
void keep_names(Plan& plan, const std::vector<Experiment>& earlier);

// The order of one whole plan, cycle by cycle; `count` experiments. Structure per campaign-file.md.
struct OrderRequest {
  Structure structure = Structure::shuffled;
  std::uint32_t count = 0;
  std::int32_t cycles = 1;
  std::uint64_t seed = 0;
};
std::vector<PlannedRun> order_runs(const OrderRequest& request);

// A plan that grew: cycles that have started keep their order and get their new runs as one appended block;
// untouched cycles are ordered anew over the full set. `started(cycle)` tells.
struct Growth {
  std::vector<PlannedRun> earlier;       // experiment indices as in the new plan
  std::vector<std::int32_t> started_cycles;
};
std::vector<PlannedRun> grow_order(const OrderRequest& request, const Growth& growth);

// A difference between an earlier plan and this one.
struct PlanChange {
  enum class Kind { added_experiment, removed_experiment, changed_experiment, added_cycles, removed_cycles, protocol } kind;
  std::string subject;            // experiment, or dotted key
  std::vector<std::string> keys;  // changed keys with old and new value, "batch: 4 -> 8"
  std::string text() const;
};
struct PlanSide {
  const Campaign* campaign;
  const Plan* plan;
};
std::vector<PlanChange> compare_plans(const PlanSide& before, const PlanSide& now);

// What a plan will take. `seconds(experiment)` = p95 of past durations, else estimate, else nothing.
struct Forecast {
  std::size_t runs = 0;
  double run_seconds = 0;
  double gap_seconds = 0;
  std::size_t unknown_runs = 0;  // runs of experiments without an estimate
};
struct ForecastRequest {
  const Campaign* campaign;
  const Plan* plan;
  std::vector<std::optional<double>> seconds;  // per experiment
};
Forecast forecast(const ForecastRequest& request);

}  // namespace campaign
