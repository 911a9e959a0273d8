// Finds the GPUs of this host: NVIDIA's through NVML, through nvidia-smi where NVML cannot be
// loaded, AMD's through sysfs. Nothing is thrown for what is not there: each place says what came
// of it, each reading that failed says why.
#pragma once

#include "controller/gpu/device.hpp"
#include "controller/gpu/nvml.hpp"

namespace controller::gpu {

struct DiscoveryRequest {
  std::string nvml = nvml_library;  // for dlopen
  std::string nvidia_smi = "nvidia-smi";
  std::string sysfs = "/sys";
  // Seconds that a driver may take: the first call after a while wakes a GPU, a second or two each.
  double patience = 30;
};

// Blocks for as long as the drivers take, at most twice `patience`.
Inventory discover(const DiscoveryRequest& request);

// Asks an open library; may hang. A GPU that cannot be identified (lost, not permitted) is told as
// a place with a fault.
Inventory nvml_inventory(const Nvml& nvml);

// AMD's GPUs below `sysfs` (/sys/class/kfd for what can compute, /sys/class/drm for its readings).
// An id is "GPU-" and 16 hexadecimal digits, as ROCR_VISIBLE_DEVICES takes it; of a GPU without one
// "PCI-" and its address. Adds the places that it looked at.
std::vector<Device> amd_devices(const std::string& sysfs, std::vector<Place>& places);

std::string no_answer(double seconds);  // "did not answer within 30 s"

// Sets name and user of processes from /proc.
void name_processes(std::vector<DeviceProcess>& processes);

}  // namespace controller::gpu
