// Facts about the GPUs of a run: which they are, and how their driver has set them up.
#pragma once

#include <mutex>

#include "campaign/results/environment.hpp"
#include "controller/gpu/nvml.hpp"

namespace controller {

// NVIDIA's library as facts need it: opened at the first question and kept, since opening it wakes
// the GPUs. Threads take turns.
class GpuSettings {
 public:
  explicit GpuSettings(std::string library) : library_(std::move(library)) {}
  // In the order of the devices. May hang in the driver. A MIG instance has the settings of its
  // GPU. AMD's GPUs are not asked.
  std::vector<campaign::FactGroup> read(const std::vector<gpu::Device>& devices);

 private:
  gpu::Reading<gpu::Nvml::Handle> handle_of(const gpu::Device& device) const;
  const std::string library_;
  std::mutex turn_;
  bool opened_ = false;
  std::shared_ptr<gpu::Nvml> nvml_;
  std::string why_;  // without it
};

// Without asking anybody: what a device is, and for each setting `why` it is not known.
campaign::FactGroup device_facts(const gpu::Device& device, const std::string& why);

}  // namespace controller
