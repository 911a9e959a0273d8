#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>

#include "controller/gpu/discover.hpp"
#include "controller/progress/format.hpp"

namespace controller::gpu {
namespace {

namespace fs = std::filesystem;
using Answer = Place::Answer;

constexpr char amd_vendor[] = "0x1002";  // PCI vendor id of AMD's GPUs
constexpr int first_render_minor = 128;

// A number in a file of its own, in `base`; sysfs files are a line.
template <class Value>
Reading<Value> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return Reading<Value>::unavailable(path.string() + " unreadable");
  Value value{};
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc() || end == line.data())
    return Reading<Value>::unavailable(path.string() + ": no number");
  return Reading<Value>::of(value);
}

std::string line_in(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
       at.increment(error))
    entries.push_back(at->path());
  std::sort(entries.begin(), entries.end(), [](const fs::path& a, const fs::path& b) {
    const std::string left = a.filename(), right = b.filename();
    return left.size() != right.size() ? left.size() < right.size() : left < right;
  });
  return entries;
}

// "name value" lines of a KFD node; empty when it may not be read (a device cgroup).
std::map<std::string, std::uint64_t> properties_of(const fs::path& node) {
  std::map<std::string, std::uint64_t> properties;
  std::ifstream file(node / "properties");
  std::string name;
  for (std::uint64_t value = 0; file >> name >> value;) properties[name] = value;
  return properties;
}

std::string hex(std::uint64_t value, int digits) {
  std::string text(static_cast<std::size_t>(digits), '0');
  for (int at = digits - 1; at >= 0; --at, value >>= 4U)
    text[static_cast<std::size_t>(at)] = "0123456789abcdef"[value & 0xFU];
  return text;
}

// Of KFD's `location_id`: bus, device and function.
std::string pci_address(std::uint64_t domain, std::uint64_t location) {
  return hex(domain, 4) + ":" + hex(location >> 8U, 2) + ":" + hex(location >> 3U & 0x1FU, 2) +
         "." + std::to_string(location & 7U);
}

Reading<DeviceMemory> memory_of(const fs::path& pci) {
  const auto total = number_in<std::uint64_t>(pci / "mem_info_vram_total");
  const auto used = number_in<std::uint64_t>(pci / "mem_info_vram_used");
  if (!total || !used) return Reading<DeviceMemory>::unavailable(total ? used.why : total.why);
  return Reading<DeviceMemory>::of({.total = *total, .used = *used});
}

// hwmon has millidegrees and microwatts.
void read_sensors(const fs::path& pci, Device& device) {
  const std::string why = (pci / "hwmon").string() + " has none";
  device.temperature = Reading<int>::unavailable(why);
  device.power = Reading<double>::unavailable(why);
  for (const fs::path& sensors : entries_of(pci / "hwmon")) {
    if (const auto degrees = number_in<std::int64_t>(sensors / "temp1_input"))
      device.temperature = Reading<int>::of(static_cast<int>(*degrees / 1000));
    for (const char* name : {"power1_input", "power1_average"})
      if (const auto watts = number_in<std::int64_t>(sensors / name))
        device.power = Reading<double>::of(static_cast<double>(*watts) / 1e6);
  }
}

// KFD has a folder for each process, with what it holds of each GPU.
Reading<std::vector<DeviceProcess>> processes_of(const fs::path& kfd, std::uint64_t gpu_id) {
  using List = Reading<std::vector<DeviceProcess>>;
  std::error_code error;
  if (!fs::is_directory(kfd / "proc", error))
    return List::unavailable((kfd / "proc").string() + " is not there");
  std::vector<DeviceProcess> processes;
  for (const fs::path& folder : entries_of(kfd / "proc")) {
    const auto held = number_in<std::uint64_t>(folder / ("vram_" + std::to_string(gpu_id)));
    if (!held || *held == 0) continue;
    const std::string pid = folder.filename().string();
    processes.push_back({.pid = std::strtoll(pid.c_str(), nullptr, 10), .memory = held});
  }
  name_processes(processes);
  return List::of(std::move(processes));
}

std::optional<Device> device_of(const fs::path& sysfs, const fs::path& node) {
  const auto gpu_id = number_in<std::uint64_t>(node / "gpu_id");
  auto properties = properties_of(node);
  if (!gpu_id || *gpu_id == 0 || properties.empty()) return std::nullopt;
  const int minor = static_cast<int>(properties["drm_render_minor"]);
  const fs::path pci = sysfs / "class/drm" / ("renderD" + std::to_string(minor)) / "device";
  Device device{.vendor = Device::Vendor::amd, .minor = minor - first_render_minor};
  const std::uint64_t unique = properties["unique_id"];
  device.uuid = unique != 0 ? "GPU-" + hex(unique, 16)
                            : "PCI-" + pci_address(properties["domain"], properties["location_id"]);
  device.name = line_in(pci / "product_name");
  if (device.name.empty()) device.name = "AMD GPU 0x" + hex(properties["device_id"], 4);
  device.memory = memory_of(pci);
  read_sensors(pci, device);
  device.processes = processes_of(sysfs / "class/kfd/kfd", *gpu_id);
  return device;
}

std::size_t display_cards(const fs::path& sysfs) {
  const auto entries = entries_of(sysfs / "class/drm");
  return static_cast<std::size_t>(
      std::count_if(entries.begin(), entries.end(), [](const fs::path& entry) {
        return entry.filename().string().starts_with("renderD") &&
               line_in(entry / "device/vendor") == amd_vendor;
      }));
}

}  // namespace

std::vector<Device> amd_devices(const std::string& sysfs, std::vector<Place>& places) {
  std::vector<Device> devices;
  const fs::path nodes = fs::path(sysfs) / "class/kfd/kfd/topology/nodes";
  Place place{Answer::nothing, fs::path(sysfs) / "class/kfd",
              "is not there: no AMD compute driver"};
  std::error_code error;
  if (fs::is_directory(nodes, error)) {
    for (const fs::path& node : entries_of(nodes))
      if (auto device = device_of(sysfs, node)) {
        device->index = std::to_string(devices.size());
        devices.push_back(std::move(*device));
      }
    place.answer = devices.empty() ? Answer::nothing : Answer::devices;
    place.finding = text::plural(devices.size(), "GPU");
  } else if (const std::size_t cards = display_cards(sysfs); cards > 0) {
    place.answer = Answer::fault;
    place.finding = "is not there, but " + text::plural(cards, "AMD GPU") + " below " + sysfs +
                    "/class/drm; load amdgpu with compute support";
  }
  places.push_back(std::move(place));
  return devices;
}

}  // namespace controller::gpu
