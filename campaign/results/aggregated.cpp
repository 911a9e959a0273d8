#include <algorithm>
#include <nlohmann/json.hpp>

#include "campaign/metrics/text.hpp"
#include "campaign/results/summary.hpp"
#include "campaign/state/journal.hpp"
#include "campaign/statistics/statistics.hpp"

namespace campaign {
namespace {

using nlohmann::ordered_json;

const Experiment* experiment_of(const Manifest& manifest, const std::vector<RunRecord>& records) {
  if (records.empty()) return nullptr;
  for (const auto& experiment : manifest.plan.experiments)
    if (experiment.name == records.front().experiment) return &experiment;
  return nullptr;
}

ordered_json json_of(const Value& value) {
  return value.is_null() ? ordered_json() : ordered_json::parse(to_json(value));
}

ordered_json time_or_null(double utc) {
  return utc > 0 ? ordered_json(rfc3339(utc)) : ordered_json();
}

ordered_json provenance_of(const Experiment& experiment) {
  ordered_json out = ordered_json::object();
  for (const auto& entry : experiment.provenance)
    out[valid_utf8(entry.key)] = {{"value", valid_utf8(entry.value)},
                                  {"source", valid_utf8(entry.source)},
                                  {"source_detail", valid_utf8(entry.source_detail)}};
  return out;
}

ordered_json overrides_of(const Experiment& experiment) {
  ordered_json out = ordered_json::object();
  for (const auto& entry : experiment.provenance)
    if (entry.source == "cli") out[valid_utf8(entry.key)] = valid_utf8(entry.value);
  return out;
}

ordered_json run_of(const RunRecord& record) {
  ordered_json metrics = ordered_json::object();
  for (const auto& metric : record.metrics)
    metrics[valid_utf8(metric.name)] = {{"value", metric.value}, {"unit", valid_utf8(metric.unit)}};
  return {
      {"run", valid_utf8(record.run)},
      {"cycle", record.cycle},
      {"attempt", record.attempt},
      {"valid", record.valid},
      {"reason", record.valid ? ordered_json() : ordered_json(valid_utf8(record.invalid_reason))},
      {"repeated", record.repeated},
      {"window", name_of(record.window.source)},
      {"start_time", time_or_null(record.started_utc)},
      {"end_time", time_or_null(record.finished_utc)},
      {"metrics", std::move(metrics)}};
}

struct Span {
  double start = 0, end = 0, seconds = 0;
};

Span span_of(const std::vector<const RunRecord*>& records) {
  Span span;
  for (const auto* record : records) {
    if (record->started_utc > 0 && (span.start <= 0 || record->started_utc < span.start))
      span.start = record->started_utc;
    span.end = std::max(span.end, record->finished_utc);
    if (record->valid) span.seconds += record->window.seconds;
  }
  return span;
}

std::vector<const RunRecord*> completed_of(const std::vector<RunRecord>& records) {
  std::vector<const RunRecord*> completed;
  for (const auto& record : records)
    if (record.state == "completed") completed.push_back(&record);
  std::sort(completed.begin(), completed.end(), [](const RunRecord* a, const RunRecord* b) {
    return a->cycle != b->cycle ? a->cycle < b->cycle : a->attempt < b->attempt;
  });
  return completed;
}

ordered_json statistics_of(const Manifest& manifest, const std::vector<RunRecord>& records) {
  const Summary summary = summarise({.manifest = &manifest, .records = records, .group_by = {}});
  return ordered_json::parse(write_summary_json(summary))["rows"];
}

ordered_json average(const ordered_json& rows, const char* metric) {
  for (const auto& row : rows)
    if (row["metric"] == metric) return row["mean"];
  return {};
}

}  // namespace

std::string write_aggregated_json(const Manifest& manifest,
                                  const std::vector<RunRecord>& records_of_one_experiment) {
  const Experiment* experiment = experiment_of(manifest, records_of_one_experiment);
  const auto completed = completed_of(records_of_one_experiment);
  const Span span = span_of(completed);
  const ordered_json rows = statistics_of(manifest, records_of_one_experiment);
  ordered_json warnings = ordered_json::array();
  if (completed.size() < 3) warnings.push_back("fewer than 3 completed runs: no interval");
  ordered_json out;
  out["schema_version"] = 1;
  out["experiment_id"] = experiment ? ordered_json(valid_utf8(experiment->name)) : ordered_json();
  out["backend"] = experiment && !experiment->backend.empty()
                       ? ordered_json(valid_utf8(experiment->backend))
                       : ordered_json();
  out["aggregation"] = {{"method", "mean_over_cycles"},
                        {"num_cycles", completed.size()},
                        {"warnings", std::move(warnings)}};
  out["total_inference_time_sec"] = completed.empty() ? ordered_json() : ordered_json(span.seconds);
  out["avg_tokens_per_second"] = average(rows, "tokens_per_second");
  out["start_time"] = time_or_null(span.start);
  out["end_time"] = time_or_null(span.end);
  out["effective_config"] = experiment ? json_of(experiment->config) : ordered_json();
  out["cli_overrides"] = experiment ? overrides_of(*experiment) : ordered_json::object();
  out["parameter_provenance"] = experiment ? provenance_of(*experiment) : ordered_json::object();
  out["metrics"] = rows;
  out["runs"] = ordered_json::array();
  for (const auto* record : completed) out["runs"].push_back(run_of(*record));
  return out.dump(2) + "\n";
}

}  // namespace campaign
