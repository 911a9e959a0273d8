#include "controller/gpu/discover.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>

#include "controller/gpu/bounded.hpp"
#include "controller/gpu/nvidia_smi.hpp"
#include "controller/progress/format.hpp"

namespace controller::gpu {
namespace {

using Answer = Place::Answer;

Device read_device(const Nvml& nvml, Nvml::Handle handle, std::string uuid) {
  Device device{.uuid = std::move(uuid)};
  device.name = nvml.name(handle).value.value_or("");
  device.memory = nvml.memory(handle);
  const auto listed = nvml.processes(handle);
  if (!listed) {
    device.processes = {.value = std::nullopt, .why = listed.why};
    return device;
  }
  std::vector<DeviceProcess> processes;
  for (const Nvml::Process& process : *listed)
    processes.push_back({.pid = process.pid, .name = "", .user = "", .memory = process.memory});
  name_processes(processes);
  device.processes = Reading<std::vector<DeviceProcess>>::of(std::move(processes));
  return device;
}

void add_instances(const Nvml& nvml, Nvml::Handle handle_of_parent, const Device& parent,
                   Inventory& into) {
  const auto fault = [&](const std::string& why) {
    into.places.push_back({Answer::fault, "MIG instances of " + parent.uuid, why});
  };
  const Reading<unsigned> slots = nvml.mig_slots(handle_of_parent);
  if (!slots) return fault(slots.why);
  for (unsigned slot = 0; slot < *slots; ++slot) {
    const Reading<Nvml::Handle> handle = nvml.mig_instance(handle_of_parent, slot);
    if (handle && *handle == nullptr) continue;
    const Reading<std::string> uuid =
        handle ? nvml.uuid(*handle) : Reading<std::string>::unavailable(handle.why);
    if (!uuid) {
      fault(uuid.why);
      continue;
    }
    Device device = read_device(nvml, *handle, *uuid);
    device.index = parent.index + ":" + std::to_string(slot);
    device.parent = parent.uuid;
    device.minor = parent.minor;
    device.temperature = Reading<int>::unavailable("a MIG instance has no sensor of its own");
    device.power = Reading<double>::unavailable("a MIG instance has no sensor of its own");
    into.devices.push_back(std::move(device));
  }
}

void add_gpu(const Nvml& nvml, unsigned index, Inventory& into) {
  const Reading<Nvml::Handle> handle = nvml.device(index);
  const Reading<std::string> uuid =
      handle ? nvml.uuid(*handle) : Reading<std::string>::unavailable(handle.why);
  if (!uuid) {
    into.places.push_back({Answer::fault, "GPU " + std::to_string(index), uuid.why});
    return;
  }
  Device device = read_device(nvml, *handle, *uuid);
  device.index = std::to_string(index);
  if (const Reading<unsigned> minor = nvml.minor(*handle)) device.minor = static_cast<int>(*minor);
  device.temperature = nvml.temperature(*handle);
  device.power = nvml.power(*handle);
  const Reading<bool> mig = nvml.mig_mode(*handle);
  if (!mig) into.places.push_back({Answer::fault, "MIG mode of " + *uuid, mig.why});
  device.mig = mig.value.value_or(false);
  into.devices.push_back(device);
  if (device.mig) add_instances(nvml, *handle, device, into);
}

std::string count_text(const std::vector<Device>& devices) {
  std::size_t whole = 0;
  for (const Device& device : devices) whole += device.parent.empty() ? 1 : 0;
  std::string out = text::plural(whole, "GPU");
  if (devices.size() > whole) out += ", " + text::plural(devices.size() - whole, "MIG instance");
  return out;
}

struct NvmlAnswer {
  bool loaded = false;
  Place place;
  Inventory found;
};

NvmlAnswer ask_nvml(const std::string& library) {
  NvmlAnswer answer;
  const Nvml::Opened opened = Nvml::open(library);
  answer.loaded = opened.loaded;
  if (!opened.nvml) {
    answer.found.driver_version = Reading<std::string>::unavailable(opened.why);
    answer.found.cuda_version = answer.found.driver_version;
    answer.place.answer = opened.loaded ? Answer::fault : Answer::nothing;
    answer.place.finding = (opened.loaded ? "loaded, but " : "cannot be loaded: ") + opened.why;
    return answer;
  }
  answer.found = nvml_inventory(*opened.nvml);
  const auto& devices = answer.found.devices;
  answer.place.answer = devices.empty() ? Answer::nothing : Answer::devices;
  answer.place.finding = count_text(devices);
  return answer;
}

void append(Inventory& into, Inventory from) {
  for (Device& device : from.devices) into.devices.push_back(std::move(device));
  for (Place& place : from.places) into.places.push_back(std::move(place));
  into.driver_version = std::move(from.driver_version);
  into.cuda_version = std::move(from.cuda_version);
}

std::string user_name(uid_t uid) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return "uid " + std::to_string(uid);
  return found->pw_name;
}

}  // namespace

std::string no_answer(double seconds) {
  std::ostringstream text;
  text << "did not answer within " << seconds << " s";
  return text.str();
}

void name_processes(std::vector<DeviceProcess>& processes) {
  for (DeviceProcess& process : processes) {
    const std::string folder = "/proc/" + std::to_string(process.pid);
    std::ifstream file(folder + "/comm");
    std::getline(file, process.name);
    struct stat info{};
    if (stat(folder.c_str(), &info) == 0) process.user = user_name(info.st_uid);
  }
}

Inventory nvml_inventory(const Nvml& nvml) {
  Inventory found;
  found.driver_version = nvml.driver_version();
  found.cuda_version = nvml.cuda_version();
  const Reading<unsigned> count = nvml.count();
  if (!count) found.places.push_back({Answer::fault, "number of GPUs", count.why});
  for (unsigned index = 0; index < count.value.value_or(0); ++index) add_gpu(nvml, index, found);
  return found;
}

Inventory discover(const DiscoveryRequest& request) {
  Inventory found;
  const std::string unasked = "no NVIDIA driver was found";
  found.driver_version = Reading<std::string>::unavailable(unasked);
  found.cuda_version = Reading<std::string>::unavailable(unasked);
  std::optional<NvmlAnswer> answer =
      within(request.patience, [library = request.nvml] { return ask_nvml(library); });
  Place place{Answer::fault, "NVML (" + request.nvml + ")",
              no_answer(request.patience) + "; the driver hangs (`dmesg` may say why)"};
  if (answer) {
    place.answer = answer->place.answer;
    place.finding = answer->place.finding;
  }
  found.places.push_back(place);
  if (answer && answer->loaded) append(found, std::move(answer->found));
  if (answer && !answer->loaded)
    found.places.push_back(ask_nvidia_smi(request.nvidia_smi, request.patience, found));
  for (Device& device : amd_devices(request.sysfs, found.places))
    found.devices.push_back(std::move(device));
  return found;
}

}  // namespace controller::gpu
