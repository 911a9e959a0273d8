// Temperatures that a gap may wait for, behind the seam of telemetry: of the chips that a run's
// devices are on, or of the processors. Opening and reading may block for as long as a driver does.
#pragma once

#include "controller/gpu/device.hpp"
#include "controller/gpu/nvml.hpp"
#include "controller/telemetry/sensor.hpp"

namespace controller::thermal {

struct TemperatureSources {
  std::string nvml = gpu::nvml_library;
  telemetry::Roots roots;
};

// A whole GPU. A MIG instance has no sensor of its own; it is as warm as the GPU that it is part
// of.
struct Chip {
  std::string id;     // UUID
  std::string label;  // "GPU 1"
  gpu::Device::Vendor vendor = gpu::Device::Vendor::nvidia;
  std::optional<int> minor;
};
std::vector<Chip> chips_of(const std::vector<gpu::Device>& devices);  // each once

// A column in degrees Celsius for each chip, named by its id; without chips one for each processor
// package (telemetry::open_hwmon). Each was read once: a sensor that gives nothing is not opened,
// and the source says why.
telemetry::Found open_temperatures(const TemperatureSources& from, const std::vector<Chip>& chips);

// "GPU 1" of a chip's column, "coretemp Package id 0" of a processor's.
std::string label_of(const std::string& column, const std::vector<Chip>& chips);

}  // namespace controller::thermal
