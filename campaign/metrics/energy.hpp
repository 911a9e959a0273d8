// Energy of a run: what the machine's counters grew by over the measure window, and what is left
// without the power that it takes at rest. Pure. What each figure means: docs/telemetry.md.
//
// A domain is what has a counter of its own: "package-0", "package-0.dram", or a GPU by its uuid. A
// MIG instance has none: its domain is the whole GPU.
#pragma once

#include <map>

#include "campaign/metrics/telemetry.hpp"

namespace campaign {

// The power of the machine at rest.
struct EnergyBaseline {
  std::map<std::string, double> watts;  // by domain
  double utc = 0;                       // when it was measured
  double age_s = 0;                     // of the measurement, when the run began
  std::string method;                   // fresh, cached
};

// Of one GPU over the window.
struct GpuEnergy {
  std::string device;                        // uuid
  std::string method;                        // counter, power: which of these counts
  std::optional<double> counter_j, power_j;  // growth of the counter; integral of the power
  double uncertainty_j = 0;                  // of what counts
};

// Of run.json.
struct EnergyRecord {
  std::string reason;  // why there is no energy; "" = there is
  std::optional<double> raw_j, adjusted_j;
  std::map<std::string, double> domains_j;
  std::map<std::string, std::string> missing;  // of energy.sources -> why it is not in the sum
  std::vector<GpuEnergy> gpus;
  std::optional<double> uncertainty_j;     // of the GPUs
  std::map<std::string, double> stages_j;  // before, measure, after: of the process
  std::optional<double> baseline_power_w;
  std::string baseline_method;                               // fresh, cached, unavailable
  std::optional<double> baseline_utc, baseline_cache_age_s;  // none: it is unavailable
  std::vector<std::string> notes;  // for those of the run's record; not a member of their own
};

struct EnergyRequest {
  const Energy* settings = nullptr;
  const TelemetryReading* reading = nullptr;
  MeasureWindow window;
  std::size_t gpus = 0;  // devices that the run had
  std::optional<EnergyBaseline> baseline;
};
// adjusted = max(0, raw - baseline * seconds of the window). A GPU's counter is right but for one
// step at each end of the window: uncertainty = 2 * step. Where it has none, began anew or made no
// step, its power is integrated (trapezoid), which NVIDIA states to be good to 5 %.
EnergyRecord energy_of(const EnergyRequest& request);
// The mean power of each domain that was read over the whole window of a reading.
std::map<std::string, double> mean_watts(const Energy& settings, const TelemetryReading& reading);
// The largest part of a GPU's joules that its counter leaves open, 0.18 of 18 %; none = at most 1
// %, or no counter decided.
std::optional<double> open_part(const EnergyRecord& record);
// energy_raw_j, energy_adjusted_j, cpu_energy_j, ram_energy_j, gpu_energy_j.
std::vector<MetricValue> energy_metrics(const EnergyRecord& record);

}  // namespace campaign
