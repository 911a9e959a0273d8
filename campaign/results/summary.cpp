#include "campaign/results/summary.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "campaign/statistics/statistics.hpp"

namespace campaign {
namespace {

constexpr double confidence = 0.95;
constexpr double outlier_threshold = 3.5;

std::string written(const Value& value) {
  return value.is_scalar() ? value.written() : to_json(value);
}

std::string group_part(const Experiment& experiment, const std::string& path) {
  if (path == "backend" && !experiment.backend.empty()) return experiment.backend;
  const Value* value = experiment.config.at_path(path);
  if (!value) value = experiment.axes.at_path(path);
  if (value) return written(*value);
  return path == "config_name" ? experiment.name : "unknown";
}

std::string group_of(const Experiment& experiment, const std::vector<std::string>& group_by) {
  if (group_by.empty()) return experiment.name;
  std::string name;
  for (const auto& path : group_by)
    name += (name.empty() ? "" : ", ") + group_part(experiment, path);
  return name;
}

struct Samples {
  MetricValue like;
  std::map<int, std::vector<double>> by_cycle;
  std::vector<double> all;
  std::size_t repeated = 0, invalid = 0;
  std::vector<std::string> reasons, windows;
};

struct Group {
  std::string name;
  Value axes;
  std::map<std::string, Samples> metrics;
};

void remember(std::vector<std::string>& list, const std::string& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

std::string why_invalid(const RunRecord& record) {
  return record.invalid_reason.empty() ? "no reason recorded" : record.invalid_reason;
}

void add_value(Samples& samples, const RunRecord& record, const MetricValue& metric) {
  if (samples.like.name.empty()) samples.like = metric;
  const bool finite = std::isfinite(metric.value);
  if (finite) samples.all.push_back(metric.value);
  if (!record.valid || !finite) {
    ++samples.invalid;
    remember(samples.reasons, finite ? why_invalid(record) : "not a finite number");
    return;
  }
  samples.by_cycle[record.cycle].push_back(metric.value);
  samples.repeated += record.repeated ? 1 : 0;
  remember(samples.windows, name_of(record.window.source));
}

void describe(MetricSummary& row, const std::vector<double>& values) {
  row.n = values.size();
  row.mean = mean(values);
  row.sd = standard_deviation(values);
  row.median = median(values);
  row.min = percentile(values, 0);
  row.max = percentile(values, 100);
  if (const auto interval = mean_interval(values, confidence)) {
    row.ci_low = interval->low;
    row.ci_high = interval->high;
  }
  const auto flags = outliers(values, outlier_threshold);
  row.outliers = static_cast<std::size_t>(std::count(flags.begin(), flags.end(), true));
}

MetricSummary row_of(const Group& group, const Samples& samples) {
  MetricSummary row;
  row.group = group.name;
  row.axes = group.axes;
  row.metric = samples.like.name;
  row.unit = samples.like.unit;
  row.better = samples.like.better;
  row.primary = samples.like.primary;
  row.sampled = samples.like.sampled;
  std::vector<double> values;
  for (const auto& [cycle, found] : samples.by_cycle) values.push_back(*mean(found));
  describe(row, values);
  row.invalid = samples.invalid;
  row.repeated = samples.repeated;
  row.n_all = samples.all.size();
  row.mean_all = mean(samples.all);
  row.invalid_reasons = samples.reasons;
  if (!samples.windows.empty())
    row.window = samples.windows.size() == 1 ? samples.windows.front() : "mixed";
  return row;
}

std::vector<const RunRecord*> deciding_records(const std::vector<RunRecord>& records) {
  std::unordered_map<std::string, std::size_t> place;
  std::vector<const RunRecord*> deciding;
  for (const auto& record : records) {
    const auto [at, fresh] = place.try_emplace(record.run, deciding.size());
    if (fresh) {
      deciding.push_back(&record);
      continue;
    }
    const RunRecord*& held = deciding[at->second];
    const bool better = record.state == "completed"
                            ? held->state != "completed" || record.attempt > held->attempt
                            : held->state != "completed" && record.attempt > held->attempt;
    if (better) held = &record;
  }
  return deciding;
}

void count(Summary& summary, const RunRecord& record) {
  if (record.state == "completed") {
    ++summary.completed;
    if (!record.valid) {
      ++summary.invalid;
      ++summary.invalid_by_reason[why_invalid(record)];
    }
  }
  if (record.state == "skipped") ++summary.skipped;
  if (record.state != "failed") return;
  ++summary.failed;
  ++summary.failed_by_class[name_of(record.cls)];
}

void weigh_energy(Summary& summary, const RunRecord& record) {
  if (!record.valid || !record.energy) return;
  const auto part = open_part(*record.energy);
  if (!part) return;
  double& largest = summary.energy_open[record.experiment];
  largest = std::max(largest, *part);
}

struct Grouping {
  std::vector<Group> groups;
  std::unordered_map<std::string, std::size_t> of_experiment;
};

Grouping make_groups(const SummaryRequest& request) {
  Grouping out;
  std::unordered_map<std::string, std::size_t> by_name;
  for (const auto& experiment : request.manifest->plan.experiments) {
    const std::string name = group_of(experiment, request.group_by);
    const auto [at, fresh] = by_name.try_emplace(name, out.groups.size());
    if (fresh)
      out.groups.push_back({name, request.group_by.empty() ? experiment.axes : Value::null(), {}});
    out.of_experiment[experiment.name] = at->second;
  }
  return out;
}

void add_rows(Summary& summary, const Group& group) {
  std::vector<const Samples*> ordered;
  for (const auto& [name, samples] : group.metrics) ordered.push_back(&samples);
  const auto rest = std::partition(ordered.begin(), ordered.end(),
                                   [](const Samples* s) { return s->like.primary; });
  const auto by_name = [](const Samples* a, const Samples* b) {
    return a->like.name < b->like.name;
  };
  std::sort(ordered.begin(), rest, by_name);
  std::sort(rest, ordered.end(), by_name);
  for (const auto* samples : ordered) summary.rows.push_back(row_of(group, *samples));
}

}  // namespace

Summary summarise(const SummaryRequest& request) {
  Summary summary;
  summary.campaign_id = request.manifest->campaign_id;
  summary.session = request.manifest->session;
  summary.runs = request.manifest->plan.runs.size();
  Grouping grouping = make_groups(request);
  for (const RunRecord* record : deciding_records(request.records)) {
    count(summary, *record);
    const auto group = grouping.of_experiment.find(record->experiment);
    if (record->state != "completed" || group == grouping.of_experiment.end()) continue;
    weigh_energy(summary, *record);
    for (const auto& metric : record->metrics)
      add_value(grouping.groups[group->second].metrics[metric.name], *record, metric);
  }
  for (const auto& group : grouping.groups) add_rows(summary, group);
  return summary;
}

}  // namespace campaign
