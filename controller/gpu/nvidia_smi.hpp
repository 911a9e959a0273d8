// NVIDIA's command line tool as a source, for hosts where its library cannot be loaded. It gives
// what its CSV queries give: no CUDA version, and of MIG instances no readings.
#pragma once

#include "controller/gpu/device.hpp"

namespace controller::gpu {

// What its three commands printed.
struct SmiAnswers {
  std::string gpus;       // --query-gpu=<smi_gpu_fields> --format=csv,noheader,nounits
  std::string processes;  // --query-compute-apps=gpu_uuid,pid,used_memory, likewise
  std::string list;       // -L, for MIG instances
};
inline constexpr char smi_gpu_fields[] =
    "index,uuid,memory.total,memory.used,temperature.gpu,power.draw,mig.mode.current,"
    "driver_version,name";

// Pure. A line that does not have the fields is left out.
std::vector<Device> smi_devices(const SmiAnswers& answers, Reading<std::string>& driver_version);

// Runs `program` (a path, or a name on PATH), at most `patience` seconds in all.
Place ask_nvidia_smi(const std::string& program, double patience, Inventory& into);

}  // namespace controller::gpu
