// Energy of a run: what the machine's counters grew by over the measure window, and what is left
// without the power that it takes at rest. Pure. What each figure means: docs/telemetry.md.
#pragma once

#include <map>

#include "campaign/metrics/telemetry.hpp"

namespace campaign {

// The power of the machine at rest.
struct EnergyBaseline {
  double watts = 0;
  double utc = 0;      // when it was measured
  double age_s = 0;    // of the measurement, when the run began
  std::string method;  // fresh, cached
};

// Of run.json.
struct EnergyRecord {
  std::string reason;  // why there is no energy; "" = there is
  std::optional<double> raw_j, adjusted_j;
  std::map<std::string, double> domains_j;  // "package-0", "package-0.dram"
  std::optional<double> baseline_power_w;
  std::string baseline_method;  // fresh, cached, unavailable
  double baseline_utc = 0, baseline_cache_age_s = 0;
};

struct EnergyRequest {
  const Energy* settings = nullptr;
  const TelemetryReading* reading = nullptr;
  MeasureWindow window;
  std::optional<EnergyBaseline> baseline;
};
// adjusted = max(0, raw - baseline * seconds of the window).
EnergyRecord energy_of(const EnergyRequest& request);
// The mean power of all domains over the window of a reading; nullopt where it is not whole.
std::optional<double> mean_watts(const TelemetryReading& reading);
// energy_raw_j, energy_adjusted_j, cpu_energy_j, ram_energy_j.
std::vector<MetricValue> energy_metrics(const EnergyRecord& record);

}  // namespace campaign
