// What a campaign will run, in which order, decided before anything happens. Pure: same campaign,
// same plan, on every platform. Identity and order: docs/planning.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "campaign/config/campaign.hpp"

namespace campaign {

struct Expansion;

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
  Strategy strategy = Strategy::ephemeral;
  std::string hash;  // SHA-256 (hex) over canonical JSON of config and effective runner; see
                     // experiment_hash
  Value config;      // resolved, as the payload sees it
  Value axes;        // map: the varying keys and their values (columns of tables)
  std::vector<Provenance> provenance;
};

// One experiment in one cycle.
struct PlannedRun {
  std::uint32_t experiment = 0;  // index into Plan::experiments
  std::int32_t cycle = 1;        // from 1
  std::int32_t block = 0;  // > 0: appended after the cycle had started, outside paired comparisons
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
// Throws ConfigError (unknown placeholder, two experiments with one hash or name, none at all, no
// runner, more than 100,000 experiments or 10 million runs). Reads the config files that the
// campaign names, nothing else.
Plan make_plan(const Campaign& campaign);

// The seed that orders use: the campaign's own, else the first 8 bytes (big-endian) of SHA-256 over
// its name.
std::uint64_t plan_seed(const Campaign& campaign);

// What of a runner belongs to an experiment's identity: image as written, what the compose file
// says of its service and of those that it depends on, command, entrypoint, launch, env (${VAR}
// unresolved), mounts, limits, rights, window; no secrets. {p.*} and {vars.*} are filled in,
// run-level names stay as written; a field at its default is absent; paths below the campaign's
// folder are relative to it. Timeouts, retries, gaps, workers are protocol and not in it. Throws
// std::runtime_error as expand does.
Value effective_runner(const Campaign& campaign, const Value& config, const Runner& runner,
                       Expansion* report = nullptr);

// The runner of an experiment with what the experiment has of its own: one strategy, the service,
// `gpus`. none: there is none.
std::optional<Runner> runner_of(const Campaign& campaign, const Experiment& experiment);

// The image of an experiment's runs as the campaign or the compose file names it, placeholders
// filled in; "" = they need none.
std::string image_of(const Campaign& campaign, const Experiment& experiment);

// SHA-256 over canonical JSON of {"config": config, "runner": effective_runner(...)}.
std::string experiment_hash(const Campaign& campaign, const Value& config, const Runner& runner);
std::string identity_hash(const Value& config, const Value& effective);

// Names are fixed by the first manifest: experiments of `plan` whose hash is in `earlier` take its
// name; another experiment that has that name gets hash digits behind its own. A changed experiment
// keeps its name.
void keep_names(Plan& plan, const std::vector<Experiment>& earlier);

// The order of one whole plan, cycle by cycle; `count` experiments. Structure per campaign-file.md.
struct OrderRequest {
  Structure structure = Structure::shuffled;
  std::uint32_t count = 0;
  std::int32_t cycles = 1;
  std::uint64_t seed = 0;
};
std::vector<PlannedRun> order_runs(const OrderRequest& request);
// Cycles after which a balanced order is complete: n rows for an even n, 2n for an odd one.
std::uint32_t balanced_rows(std::uint32_t count);

// A plan that grew: cycles that have started keep their order and get their new runs as one
// appended block behind the last of them; untouched cycles are ordered anew over the full set. In
// `grouped` every earlier run keeps its place and the new ones follow, by experiment. Runs of
// experiments or cycles that are gone are dropped.
struct Growth {
  // Experiment indices as in the new plan; an index of `count` or more is an experiment that is
  // gone.
  std::vector<PlannedRun> earlier;
  std::vector<std::int32_t> started_cycles;
};
std::vector<PlannedRun> grow_order(const OrderRequest& request, const Growth& growth);

// A difference between an earlier plan and this one.
struct PlanChange {
  enum class Kind {
    added_experiment,
    removed_experiment,
    changed_experiment,
    added_cycles,
    removed_cycles,
    protocol
  } kind;
  std::string subject;  // experiment, or dotted key; "cycles"
  std::vector<std::string>
      keys;  // changed keys with old and new value, "batch: 4 -> 8", "runner.image: a -> b"
  std::string text() const;
};
struct PlanSide {
  const Campaign* campaign;
  const Plan* plan;
};
// Experiments match by hash, then by name. Call it before keep_names or after, the answer is the
// same.
std::vector<PlanChange> compare_plans(const PlanSide& before, const PlanSide& now);

// What a plan will take, spread evenly over the workers. A gap stands between two runs, the larger
// of config gap and cycle gap where a cycle is first entered (in `grouped`: where the experiment
// changes), never their sum, none before the first; adaptive ones have no known length. Pilots
// count in the seconds and not in `runs`. `seconds(experiment)` = p95 of past durations, else
// estimate, else nothing.
struct Forecast {
  std::size_t runs = 0;
  double run_seconds = 0;
  double gap_seconds = 0;
  std::size_t unknown_runs = 0;   // runs of experiments without an estimate
  bool adaptive_gaps = false;     // besides, of a length that nobody knows before
  double gpu_seconds = 0;         // seconds of runs times their devices
  bool more_gpu_seconds = false;  // besides, of runs whose length or devices nobody knows before
};
struct ForecastRequest {
  const Campaign* campaign;
  const Plan* plan;
  std::vector<std::optional<double>> seconds;  // per experiment
  std::vector<std::optional<int>> gpus = {};   // the same: devices of a run; none = not known
};
Forecast forecast(const ForecastRequest& request);

}  // namespace campaign
