// What a campaign's accepted runs add up to: per experiment (or group) and metric over cycles. Pure
// functions over records; recomputable from raw files at any time.
#pragma once

#include "campaign/results/results.hpp"

namespace campaign {

struct MetricSummary {
  std::string group;  // experiment's name, or "vllm, llama" for a group_by
  Value axes;         // of the experiment; null for groups
  std::string metric, unit;
  Direction better = Direction::unspecified;
  bool primary = false;
  bool sampled = false;                              // see MetricValue
  std::size_t n = 0;                                 // valid values
  std::size_t invalid = 0;                           // left out, with reasons below
  std::size_t repeated = 0;                          // of n: run again outside their block
  std::size_t n_all = 0;                             // valid or not
  std::optional<double> mean_all;                    // the figure over all of them
  std::optional<double> mean, sd, median, min, max;  // sd: ddof 1, from n = 2
  std::optional<double> ci_low, ci_high;             // 95 %, Student t on cycle values, from n = 3
  std::size_t outliers = 0;                          // modified Z above 3.5: flagged, kept
  std::string window;                                // phase, pattern, process, or "mixed"
  std::vector<std::string> invalid_reasons;
};

struct Summary {
  std::string campaign_id, session;
  std::vector<MetricSummary>
      rows;  // experiments in plan order; primary metrics first, then by name
  // runs = planned; completed and failed = the state of a run's last record (a completed one wins);
  // skipped = records whose state is "skipped" (runs leave none by themselves: the caller makes
  // them from the fold).
  std::size_t runs = 0, completed = 0, failed = 0, skipped = 0;
  std::map<std::string, std::size_t> failed_by_class;
  std::size_t invalid = 0;  // of the completed ones: left out of the figures
  std::map<std::string, std::size_t> invalid_by_reason;
  std::map<std::string, double> energy_open;  // by experiment: the largest open_part() of a run
};

// Values are those of completed runs, one per cycle: where a group holds several experiments, the
// mean over those of its runs that are valid in that cycle. Groups stand in the order of their
// first experiment in the plan.
struct SummaryRequest {
  const Manifest* manifest = nullptr;
  std::vector<RunRecord> records;
  std::vector<std::string> group_by;  // empty = per experiment
};
Summary summarise(const SummaryRequest& request);
std::string write_summary_json(const Summary& summary);  // summary.json: schema_version 1
std::optional<Summary> read_summary_json(
    const std::string& text);  // nullopt: not whole, or of another version
std::string write_summary_csv(const Summary& summary);
// One row per run and metric: session, experiment, a column per axis, cycle, position, attempt,
// resumed, start_utc, start_temp_c, node, gpu_uuid, strategy, container_run, window, metric, value,
// unit, valid, reason. Missing = NA. An axis named like one of these columns becomes "axis.<name>".
// Fields are quoted by RFC 4180, lines end with a newline.
std::string write_tidy_csv(const Manifest& manifest, const std::vector<RunRecord>& records);
// aggregated/<experiment>.json over cycles and processes (fields: AggregatedResult's that exist
// without a GPU).
std::string write_aggregated_json(const Manifest& manifest,
                                  const std::vector<RunRecord>& records_of_one_experiment);

}  // namespace campaign
