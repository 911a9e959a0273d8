// Which GPUs this process may use: what the scheduler granted, else all that there are. Pure; the
// causes say how it was decided. Errors are CommandErrors that say what there is.
#pragma once

#include "campaign/config/loader.hpp"
#include "controller/gpu/device.hpp"

namespace controller::gpu {

// Variables of the environment. One that is empty, or "NoDevFiles" (Slurm's word), grants nothing;
// one that is not set says nothing.
struct GrantWords {
  std::optional<std::string> job;      // SLURM_JOB_GPUS
  std::optional<std::string> step;     // SLURM_STEP_GPUS
  std::optional<std::string> visible;  // CUDA_VISIBLE_DEVICES
};
GrantWords grant_words(const campaign::Environment& environment);

struct Grant {
  std::vector<Device> devices;  // what work can run on: no GPU in MIG mode, its instances instead
  std::string cause;  // "SLURM_STEP_GPUS=2,3", "no scheduler says otherwise: all that ..."
};

// CUDA_VISIBLE_DEVICES decides where it is set, since it is what programs obey: Slurm sets it, and
// a person may narrow it. Its numbers count the GPUs that are seen here in the order of the PCI bus
// (NVML's; CUDA's own with CUDA_DEVICE_ORDER=PCI_BUS_ID), so inside a device cgroup they differ
// from Slurm's, which are those of the device files (/dev/nvidia<n>) of the whole node. It may also
// hold UUIDs, or beginnings of them that fit one device; -1 ends it. A GPU that the scheduler's
// lists do not have is an error, but for MIG instances, which Slurm counts in a way of its own.
Grant grant_of(const std::vector<Device>& devices, const GrantWords& words);

// Devices that work can run on.
std::vector<Device> usable(const std::vector<Device>& devices);
// "0 = GPU-8f1e... (NVIDIA H100), 1 = ...", "none".
std::string listing(const std::vector<Device>& devices);
// "GPU-a,GPU-b", as labels, journals and variables of the environment have them.
std::string joined_uuids(const std::vector<Device>& devices);

// One word of a list: an index ("0", of an instance "0:1"), a UUID or the beginning of one. Several
// devices: it is ambiguous.
std::vector<Device> named_by(const std::string& word, const std::vector<Device>& devices);
// A GPU in MIG mode stands for its instances, any other device for itself.
std::vector<Device> parts_of(const Device& device, const std::vector<Device>& devices);
bool has(const std::vector<Device>& devices, const std::string& uuid);

}  // namespace controller::gpu
