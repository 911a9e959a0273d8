// The leased devices of an attempt on their way into what runs it: the container's description, the
// environment, and what the launcher found. Pure, but for gpu_host and device_mismatch, which read
// files.
#pragma once

#include "controller/attempt.hpp"
#include "controller/runners/site.hpp"

namespace controller {

using GpuDevices = std::vector<gpu::Device>;

std::vector<container::GpuDevice> container_devices(const GpuDevices& devices);

// What the files of this host, on which the engine is, tell beside the engine.
container::GpuHost gpu_host(const container::EngineInfo& engine);
// Throws CommandError(environment), with what to do, where no mechanism leads these devices into a
// container of this engine. For a look before anything starts.
container::GpuRoute gpu_route(const Site& site, const GpuDevices& devices);

// How a payload chooses among the devices that it could reach. `numbers` are those of a container
// that has these devices alone; MIG instances have none.
enum class GpuNaming { numbers, uuids };
// Without devices, by UUID: none of any vendor.
std::map<std::string, std::string> gpu_variables(const GpuDevices& devices, GpuNaming naming);
// Replaces lines of the same variables.
void set_variables(std::vector<std::string>& env, const std::map<std::string, std::string>& set);

// The client of a server has none.
GpuDevices devices_of_client(const Attempt& attempt);
// Devices, size of /dev/shm, label. A container without devices gets none whatever would give some.
// Throws PrepareError(infra).
void pass_devices(container::ContainerSpec& spec, const GpuDevices& devices, const Site& site);
// The launcher's flags, in a command line that ends with its "--".
void check_devices(container::ContainerSpec& spec, const GpuDevices& devices);

// A line for people where a service reserves GPUs and gets none.
std::optional<std::string> emptied_reservation(const std::string& service,
                                               container::ContainerSpec spec,
                                               const GpuDevices& devices);
// A preparation may be tried again; its line is there once.
void note_once(Attempt& attempt, const std::optional<std::string>& line);
// What the launcher of this folder found to be wrong; nullopt: nothing, or it did not look.
std::optional<std::string> device_mismatch(const std::filesystem::path& ctl);
// An engine's words about a failed start, with what to do about it where the devices are why.
std::string with_gpu_remedy(const std::string& error);

}  // namespace controller
