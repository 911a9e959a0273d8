#include "campaign/metrics/energy.hpp"

#include <algorithm>

namespace campaign {
namespace {

constexpr std::string_view source = "rapl";

bool is_energy(const TelemetryFigure& figure) {
  return figure.column.name.starts_with(std::string(source) + ".");
}

std::string domain_of(const TelemetryFigure& figure) {
  return figure.column.name.substr(source.size() + 1);
}

// "" where every counter was read over the whole window.
std::string what_is_missing(const TelemetryReading& reading) {
  const auto is_source = [](const TelemetrySource& each) { return each.name == source; };
  const auto& sources = reading.record.sources;
  const auto found = std::find_if(sources.begin(), sources.end(), is_source);
  if (found == sources.end()) return "telemetry.sources does not name rapl";
  if (!found->unavailable.empty()) return found->unavailable;
  for (const TelemetrySource& each : sources)
    if (each.name == "payload" && !each.unavailable.empty())
      return "the payload is not seen on this machine: " + each.unavailable;
  if (!reading.record.complete())
    return "telemetry is " + reading.record.status + ": " + reading.record.reason;
  for (const TelemetryFigure& figure : reading.figures) {
    if (!is_energy(figure)) continue;
    if (!figure.broken.empty()) return figure.broken;
    if (!figure.total) return figure.column.name + " was not read over the whole window";
  }
  return "";
}

bool is_memory(const std::string& domain) { return domain.ends_with(".dram"); }

}  // namespace

EnergyRecord energy_of(const EnergyRequest& request) {
  EnergyRecord record{.baseline_method = "unavailable"};
  record.reason = what_is_missing(*request.reading);
  if (record.reason.empty() && request.window.source == MeasureWindow::Source::process &&
      !request.settings->allow_process_window)
    record.reason =
        "the window is the whole process, start and end of it included; "
        "energy.allow_process_window: true takes it";
  if (!record.reason.empty()) return record;
  double sum = 0;
  for (const TelemetryFigure& figure : request.reading->figures) {
    if (!is_energy(figure)) continue;
    record.domains_j[domain_of(figure)] = *figure.total;
    sum += *figure.total;
  }
  record.raw_j = sum;
  if (!request.baseline) return record;
  record.baseline_power_w = request.baseline->watts;
  record.baseline_method = request.baseline->method;
  record.baseline_utc = request.baseline->utc;
  record.baseline_cache_age_s = request.baseline->age_s;
  record.adjusted_j = std::max(0.0, sum - request.baseline->watts * request.window.seconds);
  return record;
}

std::optional<double> mean_watts(const TelemetryReading& reading) {
  if (!what_is_missing(reading).empty()) return std::nullopt;
  double sum = 0;
  for (const TelemetryFigure& figure : reading.figures)
    if (is_energy(figure)) sum += figure.mean.value_or(0);
  return sum;
}

std::vector<MetricValue> energy_metrics(const EnergyRecord& record) {
  std::vector<MetricValue> metrics;
  const auto add = [&](const char* name, double value) {
    metrics.push_back(
        {.name = name, .value = value, .unit = "J", .better = Direction::lower, .sampled = true});
  };
  if (record.raw_j) add("energy_raw_j", *record.raw_j);
  if (record.adjusted_j) add("energy_adjusted_j", *record.adjusted_j);
  double processors = 0, memory = 0;
  bool has_memory = false;
  for (const auto& [domain, joules] : record.domains_j) {
    has_memory = has_memory || is_memory(domain);
    (is_memory(domain) ? memory : processors) += joules;
  }
  if (!record.domains_j.empty()) add("cpu_energy_j", processors);
  if (has_memory) add("ram_energy_j", memory);
  return metrics;
}

}  // namespace campaign
