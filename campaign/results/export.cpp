#include <algorithm>
#include <unordered_map>

#include "campaign/metrics/text.hpp"
#include "campaign/results/summary.hpp"
#include "campaign/state/journal.hpp"

namespace campaign {
namespace {

std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

class Row {
 public:
  Row& text(const std::string& value) {
    return add(value.empty() ? "NA" : cell(valid_utf8(value)));
  }
  Row& exact(const std::string& value) { return add(cell(valid_utf8(value))); }
  Row& number(const std::optional<double>& value) { return add(value ? shortest(*value) : "NA"); }
  Row& count(std::int64_t value) { return add(std::to_string(value)); }
  Row& flag(bool value) { return add(value ? "true" : "false"); }
  std::string line() const { return line_ + "\n"; }

 private:
  Row& add(const std::string& written) {
    if (!first_) line_ += ',';
    first_ = false;
    line_ += written;
    return *this;
  }
  std::string line_;
  bool first_ = true;
};

std::string axis_text(const Value* value) {
  if (!value || value->is_null()) return "NA";
  const std::string text = value->is_scalar() ? value->written() : to_json(*value);
  return value->kind() == Value::Kind::boolean ? (value->as_boolean() ? "true" : "false") : text;
}

const Value* member_of(const Value& axes, const std::string& key) {
  return axes.is_map() ? axes.find(key) : nullptr;
}

void add_axes(std::vector<std::string>& keys, const Value& axes) {
  if (!axes.is_map()) return;
  for (const auto& [key, value] : axes.members())
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
}

using Columns = std::vector<std::string>;

void head_axes(Row& head, const Columns& axes, const Columns& fixed) {
  for (const auto& axis : axes) {
    const bool taken = std::find(fixed.begin(), fixed.end(), axis) != fixed.end();
    head.exact(taken ? "axis." + axis : axis);
  }
}

const Columns& tidy_columns() {
  static const Columns columns = {
      "session",   "experiment",   "cycle", "position", "attempt",  "resumed",
      "start_utc", "start_temp_c", "node",  "gpu_uuid", "strategy", "container_run",
      "window",    "metric",       "value", "unit",     "valid",    "reason"};
  return columns;
}

const Columns& summary_columns() {
  static const Columns columns = {"group",    "metric",  "unit",     "better", "primary",
                                  "n",        "invalid", "repeated", "mean",   "sd",
                                  "median",   "min",     "max",      "ci_low", "ci_high",
                                  "outliers", "n_all",   "mean_all", "window", "invalid_reasons"};
  return columns;
}

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : "; ") + item;
  return text;
}

std::string why_invalid(const RunRecord& record) {
  if (record.state == "completed") return record.valid ? "" : record.invalid_reason;
  std::string why = record.state;
  if (record.cls != FailureClass::none) why += std::string(" (") + name_of(record.cls) + ")";
  return record.message.empty() ? why : why + ": " + record.message;
}

// Of several sensors the warmest.
std::optional<double> start_temperature(const RunRecord& record) {
  std::optional<double> warmest;
  for (const auto& [sensor, celsius] : record.start_temperatures_c)
    warmest = std::max(celsius, warmest.value_or(celsius));
  return warmest;
}

struct TidyRow {
  const Manifest& manifest;
  const Columns& axes;
  const Experiment* experiment;
  const RunRecord& record;
};

std::string tidy_line(const TidyRow& from, const MetricValue& metric) {
  const RunRecord& record = from.record;
  Row row;
  row.text(record.session.empty() ? from.manifest.session : record.session).text(record.experiment);
  for (const auto& axis : from.axes)
    row.exact(axis_text(from.experiment ? member_of(from.experiment->axes, axis) : nullptr));
  row.count(record.cycle).count(record.position).count(record.attempt).flag(record.resumed);
  row.text(record.started_utc > 0 ? rfc3339(record.started_utc) : "");
  row.number(start_temperature(record))
      .text(record.host)
      .text(joined(record.gpus))
      .text(record.strategy)
      .text(record.container_run > 0 ? std::to_string(record.container_run) : "")
      .text(name_of(record.window.source));
  row.text(metric.name).number(metric.value).text(metric.unit);
  row.flag(record.valid && record.state == "completed").text(why_invalid(record));
  return row.line();
}

std::string tidy_head(const Columns& axes) {
  Row head;
  head.text("session").text("experiment");
  head_axes(head, axes, tidy_columns());
  for (std::size_t i = 2; i < tidy_columns().size(); ++i) head.text(tidy_columns()[i]);
  return head.line();
}

}  // namespace

std::string write_summary_csv(const Summary& summary) {
  Columns axes;
  for (const auto& row : summary.rows) add_axes(axes, row.axes);
  Row head;
  head.text(summary_columns().front());
  head_axes(head, axes, summary_columns());
  for (std::size_t i = 1; i < summary_columns().size(); ++i) head.text(summary_columns()[i]);
  std::string csv = head.line();
  for (const auto& row : summary.rows) {
    Row line;
    line.text(row.group);
    for (const auto& axis : axes) line.exact(axis_text(member_of(row.axes, axis)));
    line.text(row.metric).text(row.unit);
    line.text(row.better == Direction::unspecified ? "" : name_of(row.better)).flag(row.primary);
    line.count(static_cast<std::int64_t>(row.n)).count(static_cast<std::int64_t>(row.invalid));
    line.count(static_cast<std::int64_t>(row.repeated));
    line.number(row.mean).number(row.sd).number(row.median).number(row.min).number(row.max);
    line.number(row.ci_low).number(row.ci_high).count(static_cast<std::int64_t>(row.outliers));
    line.count(static_cast<std::int64_t>(row.n_all)).number(row.mean_all);
    csv += line.text(row.window).text(joined(row.invalid_reasons)).line();
  }
  return csv;
}

std::string write_tidy_csv(const Manifest& manifest, const std::vector<RunRecord>& records) {
  Columns axes;
  std::unordered_map<std::string, const Experiment*> experiments;
  for (const auto& experiment : manifest.plan.experiments) {
    add_axes(axes, experiment.axes);
    experiments[experiment.name] = &experiment;
  }
  std::string csv = tidy_head(axes);
  for (const auto& record : records) {
    const auto found = experiments.find(record.experiment);
    const TidyRow from{manifest, axes, found == experiments.end() ? nullptr : found->second,
                       record};
    for (const auto& metric : record.metrics) csv += tidy_line(from, metric);
  }
  return csv;
}

}  // namespace campaign
