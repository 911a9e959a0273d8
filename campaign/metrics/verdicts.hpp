// Whether what a run measured on its GPUs counts, by what was sampled meanwhile. Pure. What each
// verdict means, its thresholds and what it cannot see: docs/telemetry.md.
#pragma once

#include "campaign/metrics/telemetry.hpp"
#include "campaign/state/events.hpp"

namespace campaign {

// Of run.json: `verdicts`.
struct GpuVerdicts {
  // Seconds of the window for which clocks were held down, by cause, of the device with the most:
  // hw_slowdown, hw_thermal, sw_thermal, hw_power_brake, sw_power_cap by the reasons that the
  // driver gives; thermal and power by its violation counters.
  std::map<std::string, double> held_down_s;
  std::vector<std::string> throttled;  // the causes that count: more than 1 % of the window
  std::map<std::string, int> foreign;  // device -> others' processes, the most at a time
  std::vector<std::string> unused;     // devices that no process of the run was ever seen on
  // The SM clock of the last fifth of the window against the first, of the device that changed
  // most.
  std::optional<double> clock_drift_pct;
  bool clock_drifted = false;            // by more than 5 %
  std::vector<std::string> unavailable;  // what could not be judged, and why
};
// nullopt: the run had no devices. `seconds` of the window.
std::optional<GpuVerdicts> judge_gpus(const TelemetryReading& reading, double seconds);
// gpu_throttle_seconds (the causes that count, the largest), gpu_power_cap_seconds,
// gpu_clock_drift_pct.
std::vector<MetricValue> verdict_metrics(const GpuVerdicts& verdicts);

// What follows for a run that succeeded so far. A device that was granted and never used is an
// invalid_result. The policies decide about the rest; `contaminated` only while `reruns`, attempts
// of this run that ended so before, are below telemetry.max_reruns: after that the result is kept
// and flagged.
struct GpuConsequence {
  FailureClass cls = FailureClass::none;  // invalid_result or contaminated: the attempt failed
  std::string message;
  std::string invalid_reason;  // "" = it counts: "contaminated: throttled (hw_thermal)"
  std::vector<std::string> notes;
};
GpuConsequence consequence_of(const GpuVerdicts& verdicts, const Telemetry& settings, int reruns);

}  // namespace campaign
