// The GPUs of a run as sensors, by NVML: power, energy, temperature, clocks and what holds them
// down, load, memory, and whose processes are on them.
//
// The library is opened, and each device asked once for everything, on a thread of its own, which
// is left to itself if the driver does not answer. From then on it belongs to the sampler's thread.
// While one reading hangs, the others of the library say EBUSY at once: they would hang too.
#pragma once

#include <atomic>
#include <future>

#include "campaign/state/journal.hpp"
#include "controller/gpu/device.hpp"
#include "controller/telemetry/sensor.hpp"

namespace controller::telemetry {

// By what the processes of a run are told from others. Filled in before `known`, and read-only from
// then on; it belongs to a recording and its sensors.
struct RunProcesses {
  std::vector<std::string> containers;  // ids, as they stand in control groups
  int root = 0;                         // of a run without any: its launcher
  bool elsewhere = false;  // they may descend from somebody else, until one of them is seen
  std::atomic<bool> known = false;
};

// The columns of a device, in this order. Causes that hold clocks down are 0 or 1.
enum GpuColumn : unsigned {
  gpu_power_w,
  gpu_energy_j,
  gpu_temperature_c,
  gpu_sm_clock_mhz,
  gpu_memory_clock_mhz,
  gpu_utilisation_pct,
  gpu_memory_bytes,
  gpu_thermal_violation_s,
  gpu_power_violation_s,
  gpu_hw_slowdown,
  gpu_hw_thermal,
  gpu_sw_thermal,
  gpu_hw_power_brake,
  gpu_sw_power_cap,
  gpu_processes_own,
  gpu_processes_foreign,
  gpu_columns
};
std::vector<campaign::TelemetryColumn> gpu_columns_of(const std::string& source);

struct GpuRequest {
  Roots roots;
  gpu::Device device;
  std::string source;                             // gpu0
  std::shared_ptr<const RunProcesses> processes;  // null: nobody looks at them
  const campaign::Clock* clock = nullptr;         // outlives the sensor
};

class GpuLibrary {
 public:
  explicit GpuLibrary(std::string library);  // its name, for dlopen; returns at once
  // It is open, or cannot be opened. Until then no device can be read.
  bool answered() const;
  // Calls nothing of the library.
  Found open(const GpuRequest& request) const;

  struct Opened;

 private:
  std::shared_future<std::shared_ptr<Opened>> opened_;
};

}  // namespace controller::telemetry
