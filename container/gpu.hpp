// How GPUs come into a container: one mechanism, chosen from what the engine offers, printable with
// its cause, and put into the container's description in place of whatever else would bring GPUs.
// Pure. What each engine does with each mechanism: docs/gpus.md.
//
// Devices go by UUID wherever the mechanism can: an index or a count means another device as soon
// as somebody else numbers them, and an engine's `Count: n` is always the first n.
#pragma once

#include <stdexcept>

#include "container/container_spec.hpp"
#include "container/engine_types.hpp"

namespace container {

// A GPU, or a MIG instance, as a container is to have it.
struct GpuDevice {
  enum class Vendor { nvidia, amd } vendor = Vendor::nvidia;
  std::string uuid;               // "GPU-...", "MIG-..."
  std::string index;              // "0" in the order of the PCI bus; an instance "0:1"
  bool mig = false;               // an instance
  std::optional<int> minor = {};  // n of /dev/nvidia<n>, 128 + n of /dev/dri/renderD<n>
};
// "/dev/nvidia0", "/dev/dri/renderD128"; "" where its number is not known. Of an instance it is its
// GPU's.
std::string device_file(const GpuDevice& device);

// What the host knows beside the engine's own words.
struct GpuHost {
  std::vector<std::string> cdi_devices;       // full names, out of the specifications that lie here
  bool nvidia_hook = false;                   // nvidia-container-runtime-hook is on the usual PATH
  std::map<std::string, std::string> groups;  // "/dev/kfd" -> numeric group; none for group 0
};
// The full names of the devices in a CDI specification: JSON, or the YAML that `nvidia-ctk cdi
// generate` writes. Nothing for anything else.
std::vector<std::string> cdi_names(const std::string& specification);

struct GpuRoute {
  enum class Mechanism { none, cdi, device_requests, nvidia_runtime, device_files };
  Mechanism mechanism = Mechanism::none;
  std::vector<GpuDevice> devices = {};
  std::vector<std::string> names = {};   // as the mechanism calls them: CDI names, UUIDs, files
  std::vector<std::string> groups = {};  // numeric, of the device files
  std::string cause = {};                // why this mechanism
  std::string remedy = {};  // nothing speaks for it either: what to do should it fail; "" = it does
};
// "CDI, nvidia.com/gpu=0: the engine lists these devices"
std::string text_of(const GpuRoute& route);

// No mechanism leads there: why, and what to do.
class GpuRefusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
// Of several: CDI where the engine is sure to know the names, DeviceRequests, the runtime `nvidia`.
// AMD's are device files. Throws GpuRefusal.
GpuRoute choose_gpu_route(const EngineInfo& engine, const GpuHost& host,
                          const std::vector<GpuDevice>& devices);

// The route's devices and no others. Requests for GPUs that are there already keep driver,
// capabilities and options, and lose count and ids. With Mechanism::none as without_gpus.
void give_gpus(ContainerSpec& spec, const GpuRoute& route);
// No GPUs, whatever image, engine or what is there already would give. True: something was there.
bool without_gpus(ContainerSpec& spec);

// Flags of the launcher, which looks for the devices before it starts a payload. A privileged
// container sees every device of its host.
enum class OtherGpus { refused, allowed };
std::vector<std::string> gpu_check_flags(const std::vector<GpuDevice>& devices, OtherGpus others);

// What to do about an engine's words when it could not give the devices; "" for other words.
std::string gpu_remedy(const std::string& engine_error);

}  // namespace container
