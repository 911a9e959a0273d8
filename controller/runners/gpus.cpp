#include "controller/runners/gpus.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "container/labels.hpp"
#include "controller/errors.hpp"
#include "controller/gpu/grant.hpp"
#include "controller/runners/runner.hpp"

namespace controller {

namespace fs = std::filesystem;

namespace {

using Variables = std::map<std::string, std::string>;
using Vendor = gpu::Device::Vendor;

constexpr std::int64_t shm_with_gpus = std::int64_t{8} << 30;

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::string text_of(const fs::path& file) {
  constexpr std::uintmax_t largest = 1 << 20;
  std::error_code none;
  if (const auto size = fs::file_size(file, none); none || size > largest) return "";
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<std::string> cdi_devices(const container::EngineInfo& engine) {
  std::vector<std::string> folders = engine.cdi_folders, names;
  if (engine.podman) folders = {"/etc/cdi", "/var/run/cdi"};
  for (const std::string& folder : folders) {
    for (const fs::path& file : files_of(folder)) {
      const std::string kind = file.extension();
      if (kind != ".json" && kind != ".yaml" && kind != ".yml") continue;
      for (std::string& name : container::cdi_names(text_of(file)))
        names.push_back(std::move(name));
    }
  }
  return names;
}

// On the path that service managers give a daemon.
bool has_nvidia_hook() {
  for (const char* folder :
       {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"})
    if (access((std::string(folder) + "/nvidia-container-runtime-hook").c_str(), X_OK) == 0)
      return true;
  return false;
}

Variables device_file_groups() {
  Variables groups;
  std::vector<fs::path> files = files_of("/dev/dri");
  files.emplace_back("/dev/kfd");
  for (const fs::path& file : files) {
    struct stat status{};
    if (stat(file.c_str(), &status) == 0 && S_ISCHR(status.st_mode) && status.st_gid != 0)
      groups[file.string()] = std::to_string(status.st_gid);
  }
  return groups;
}

GpuDevices of_vendor(GpuDevices devices, Vendor vendor) {
  std::erase_if(devices, [&](const gpu::Device& device) { return device.vendor != vendor; });
  return devices;
}

std::string numbers_up_to(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + std::to_string(i);
  return text;
}

std::string cuda_devices(const GpuDevices& nvidia, GpuNaming naming) {
  const bool instances = std::any_of(nvidia.begin(), nvidia.end(),
                                     [](const auto& device) { return !device.parent.empty(); });
  return naming == GpuNaming::uuids || instances ? gpu::joined_uuids(nvidia)
                                                 : numbers_up_to(nvidia.size());
}

// GPUs that have no UUID are known to ROCm by number alone.
std::string rocm_devices(const GpuDevices& amd) {
  std::string text;
  for (const gpu::Device& device : amd)
    text +=
        (text.empty() ? "" : ",") + (device.uuid.starts_with("GPU-") ? device.uuid : device.index);
  return text;
}

}  // namespace

std::vector<container::GpuDevice> container_devices(const GpuDevices& devices) {
  std::vector<container::GpuDevice> all;
  for (const gpu::Device& device : devices)
    all.push_back({.vendor = device.vendor == Vendor::amd ? container::GpuDevice::Vendor::amd
                                                          : container::GpuDevice::Vendor::nvidia,
                   .uuid = device.uuid,
                   .index = device.index,
                   .mig = !device.parent.empty(),
                   .minor = device.minor});
  return all;
}

container::GpuHost gpu_host(const container::EngineInfo& engine) {
  return {.cdi_devices = cdi_devices(engine),
          .nvidia_hook = has_nvidia_hook(),
          .groups = device_file_groups()};
}

container::GpuRoute gpu_route(const Site& site, const GpuDevices& devices) {
  try {
    return container::choose_gpu_route(site.info, site.gpu_host, container_devices(devices));
  } catch (const container::GpuRefusal& refusal) {
    throw CommandError(ExitCode::environment, refusal.what());
  }
}

Variables gpu_variables(const GpuDevices& devices, GpuNaming naming) {
  const GpuDevices nvidia = of_vendor(devices, Vendor::nvidia),
                   amd = of_vendor(devices, Vendor::amd);
  Variables set;
  if (!nvidia.empty() || naming == GpuNaming::uuids)
    set["CUDA_VISIBLE_DEVICES"] = cuda_devices(nvidia, naming);
  if (!nvidia.empty()) set["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
  if (naming == GpuNaming::uuids) set["ROCR_VISIBLE_DEVICES"] = rocm_devices(amd);
  return set;
}

void set_variables(std::vector<std::string>& env, const Variables& set) {
  for (const auto& [name, value] : set) {
    std::erase_if(env, [&](const std::string& line) { return line.starts_with(name + "="); });
    env.push_back(name + "=" + value);
  }
}

GpuDevices devices_of_client(const Attempt& attempt) {
  return attempt.runner->server ? GpuDevices() : attempt.devices;
}

void pass_devices(container::ContainerSpec& spec, const GpuDevices& devices, const Site& site) {
  try {
    container::give_gpus(
        spec, container::choose_gpu_route(site.info, site.gpu_host, container_devices(devices)));
  } catch (const container::GpuRefusal& refusal) {
    throw PrepareError(campaign::FailureClass::infra, refusal.what());
  }
  if (!devices.empty() && !spec.shm_size && spec.ipc.empty()) spec.shm_size = shm_with_gpus;
  spec.labels[container::label::gpus] = gpu::joined_uuids(devices);
}

void check_devices(container::ContainerSpec& spec, const GpuDevices& devices) {
  const auto others =
      spec.privileged ? container::OtherGpus::allowed : container::OtherGpus::refused;
  const auto flags = container::gpu_check_flags(container_devices(devices), others);
  spec.entrypoint->insert(spec.entrypoint->end() - 1, flags.begin(), flags.end());
}

std::optional<std::string> emptied_reservation(const std::string& service,
                                               container::ContainerSpec spec,
                                               const GpuDevices& devices) {
  if (!devices.empty() || !container::without_gpus(spec)) return std::nullopt;
  return "service " + service +
         " reserves GPUs and has none here: leases alone give GPUs, say `gpus` for its runs";
}

void note_once(Attempt& attempt, const std::optional<std::string>& line) {
  auto& notes = attempt.notes;
  if (line && std::find(notes.begin(), notes.end(), *line) == notes.end()) notes.push_back(*line);
}

std::optional<std::string> device_mismatch(const fs::path& ctl) {
  const auto said = nlohmann::json::parse(text_of(ctl / "devices.json"), nullptr, false);
  if (!said.is_object() || !said.contains("mismatch") || !said["mismatch"].is_string())
    return std::nullopt;
  return said["mismatch"].get<std::string>();
}

std::string with_gpu_remedy(const std::string& error) {
  const std::string remedy = container::gpu_remedy(error);
  return remedy.empty() ? error : error + "; " + remedy;
}

}  // namespace controller
