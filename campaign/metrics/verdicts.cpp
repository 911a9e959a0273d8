#include "campaign/metrics/verdicts.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "campaign/metrics/text.hpp"

namespace campaign {
namespace {

constexpr double share_that_counts = 0.01;  // of the window
constexpr double drift_that_counts = 5;     // percent
// Fewer looks at the processes of a device than this say nothing about who was never there.
constexpr std::size_t looks_that_count = 10;

struct Cause {
  const char* name;    // of its column
  const char* cause;   // as it is told
  bool counts = true;  // a power cap is a number, not a verdict
};
constexpr std::array causes = {
    Cause{"hw_slowdown", "hw_slowdown"},       Cause{"hw_thermal", "hw_thermal"},
    Cause{"sw_thermal", "sw_thermal"},         Cause{"hw_power_brake", "hw_power_brake"},
    Cause{"thermal_violation_s", "thermal"},   Cause{"sw_power_cap", "sw_power_cap", false},
    Cause{"power_violation_s", "power", false}};

std::string rounded(double value) { return shortest(std::round(value * 100) / 100); }

class Judge {
 public:
  Judge(const TelemetryReading& reading, double seconds) : reading_(reading), seconds_(seconds) {}

  std::optional<GpuVerdicts> judge() {
    bool any = false;
    for (const TelemetrySource& source : reading_.record.sources) {
      if (source.device.empty()) continue;
      any = true;
      if (!source.unavailable.empty()) {
        out_.unavailable.push_back(source.device + ": " + source.unavailable);
        continue;
      }
      look_at(source);
    }
    if (!any) return std::nullopt;
    for (const Cause& cause : causes) {
      const auto held = out_.held_down_s.find(cause.cause);
      if (cause.counts && held != out_.held_down_s.end() &&
          held->second > share_that_counts * seconds_)
        out_.throttled.emplace_back(cause.cause);
    }
    out_.clock_drifted = std::abs(out_.clock_drift_pct.value_or(0)) > drift_that_counts;
    return std::move(out_);
  }

 private:
  const TelemetryFigure* figure(const TelemetrySource& source, const std::string& column) const {
    for (const TelemetryFigure& each : reading_.figures)
      if (each.column.name == source.name + "." + column) return &each;
    return nullptr;
  }

  void look_at(const TelemetrySource& source) {
    for (const Cause& cause : causes) throttling(source, cause);
    processes(source);
    if (const TelemetryFigure* clock = figure(source, "sm_clock_mhz")) drift(*clock);
  }

  void throttling(const TelemetrySource& source, const Cause& cause) {
    const TelemetryFigure* held = figure(source, cause.name);
    if (!held) return;
    const bool counter = held->column.counter;
    if (!(counter ? held->total : held->mean)) return cannot_tell(source, *held);
    if (held->unwatched_s > 0) cannot_tell(source, *held);
    const double seconds = counter                 ? *held->total
                           : held->unwatched_s > 0 ? seconds_watched(*held)
                                                   : *held->mean * seconds_;
    double& most = out_.held_down_s[cause.cause];
    most = std::max(most, seconds);
  }

  // What nobody watched is not held against the run.
  double seconds_watched(const TelemetryFigure& level) const {
    return level.watched_mean * std::max(0.0, seconds_ - level.unwatched_s);
  }

  void processes(const TelemetrySource& source) {
    const TelemetryFigure* foreign = figure(source, "processes_foreign");
    const TelemetryFigure* own = figure(source, "processes_own");
    if (!foreign || !own) return;
    if (!foreign->seen) cannot_tell(source, *foreign);
    // Between two looks a level is a line: one that is only next to the window stays below 1.
    if (foreign->seen.value_or(0) >= 1)
      out_.foreign[source.device] = static_cast<int>(*foreign->seen);
    const TelemetryFigure* busy = figure(source, "utilisation_pct");
    const bool worked = busy && busy->ever.value_or(0) > 0;
    if (own->known >= looks_that_count && own->ever.value_or(0) < 1 && !worked)
      out_.unused.push_back(source.device);
  }

  void drift(const TelemetryFigure& clock) {
    if (!clock.first_fifth || !clock.last_fifth || *clock.first_fifth <= 0) return;
    const double percent = 100 * (*clock.last_fifth / *clock.first_fifth - 1);
    if (!out_.clock_drift_pct || std::abs(percent) > std::abs(*out_.clock_drift_pct))
      out_.clock_drift_pct = percent;
  }

  void cannot_tell(const TelemetrySource& source, const TelemetryFigure& figure) {
    const std::string& known = figure.column.unavailable;
    const std::string why =
        !known.empty()           ? known
        : !figure.broken.empty() ? figure.broken
        : figure.unwatched_s > 0
            ? "nobody watched for " + rounded(figure.unwatched_s) + " s of the window"
            : "not read over the whole window";
    out_.unavailable.push_back(source.device + ": " +
                               figure.column.name.substr(source.name.size() + 1) + ": " + why);
  }

  const TelemetryReading& reading_;
  const double seconds_;
  GpuVerdicts out_;
};

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string throttle_text(const GpuVerdicts& verdicts) {
  std::vector<std::string> each;
  for (const std::string& cause : verdicts.throttled)
    each.push_back(cause + " for " + rounded(verdicts.held_down_s.at(cause)) + " s");
  return "its GPUs were throttled within the window: " + listed(each);
}

std::string foreign_text(const GpuVerdicts& verdicts) {
  std::vector<std::string> each;
  for (const auto& [device, count] : verdicts.foreign)
    each.push_back(std::to_string(count) + " on " + device);
  return "processes of others were on its GPUs within the window: " + listed(each);
}

// One thing that speaks against a run, and what is to become of it.
struct Against {
  bool stands = false;
  Telemetry::Policy policy = Telemetry::Policy::flag;
  std::string text, reason;
};

}  // namespace

std::optional<GpuVerdicts> judge_gpus(const TelemetryReading& reading, double seconds) {
  return Judge(reading, seconds).judge();
}

std::vector<MetricValue> verdict_metrics(const GpuVerdicts& verdicts) {
  std::vector<MetricValue> metrics;
  const auto add = [&](const char* name, double value, const char* unit) {
    metrics.push_back({.name = name, .value = value, .unit = unit, .sampled = true});
  };
  std::optional<double> throttled, capped;
  for (const Cause& cause : causes) {
    const auto held = verdicts.held_down_s.find(cause.cause);
    if (held == verdicts.held_down_s.end()) continue;
    std::optional<double>& most = cause.counts ? throttled : capped;
    most = std::max(most.value_or(0), held->second);
  }
  if (throttled) add("gpu_throttle_seconds", *throttled, "s");
  if (capped) add("gpu_power_cap_seconds", *capped, "s");
  if (verdicts.clock_drift_pct) add("gpu_clock_drift_pct", *verdicts.clock_drift_pct, "%");
  return metrics;
}

GpuConsequence consequence_of(const GpuVerdicts& verdicts, const Telemetry& settings, int reruns) {
  GpuConsequence out;
  if (!verdicts.unused.empty()) {
    out.cls = FailureClass::invalid_result;
    out.message = "no process of the run was ever seen on " + listed(verdicts.unused) +
                  ", which it was granted";
    return out;
  }
  const std::array against = {
      Against{!verdicts.throttled.empty(), settings.on_throttle, throttle_text(verdicts),
              "throttled (" + listed(verdicts.throttled) + ")"},
      Against{!verdicts.foreign.empty(), settings.on_contamination, foreign_text(verdicts),
              "shared device"}};
  std::vector<std::string> reasons;
  bool again = false;
  for (const Against& each : against) {
    if (!each.stands) continue;
    out.notes.push_back(each.text);
    if (each.policy == Telemetry::Policy::keep) continue;
    reasons.push_back(each.reason);
    out.message += (out.message.empty() ? "" : "; ") + each.text;
    again = again || each.policy == Telemetry::Policy::rerun;
  }
  if (verdicts.clock_drifted)
    out.notes.push_back("the SM clock changed by " + rounded(*verdicts.clock_drift_pct) +
                        " % from the first to the last fifth of the window");
  if (reasons.empty()) return out;
  out.invalid_reason = "contaminated: " + listed(reasons);
  if (again && reruns < settings.max_reruns)
    out.cls = FailureClass::contaminated;
  else
    out.message.clear();
  if (again && reruns >= settings.max_reruns)
    out.notes.push_back("it was run again " + std::to_string(reruns) +
                        " times for this (telemetry.max_reruns), and is kept as invalid");
  return out;
}

}  // namespace campaign
