#include "container/gpu.hpp"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace container {

namespace {

using Strings = std::vector<std::string>;
using Devices = std::vector<GpuDevice>;
using Mechanism = GpuRoute::Mechanism;

constexpr char visible[] = "NVIDIA_VISIBLE_DEVICES", kfd[] = "/dev/kfd";
constexpr int first_render_minor = 128;
constexpr char install_toolkit[] =
    "the engine found no nvidia-container-runtime-hook when it was started: install the NVIDIA "
    "container toolkit and restart the engine, or generate CDI specifications";

bool has(const Strings& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::string joined(const Strings& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

Strings uuid_list(const Devices& devices) {
  Strings all;
  for (const GpuDevice& device : devices) all.push_back(device.uuid);
  return all;
}
std::string uuids(const Devices& devices) { return joined(uuid_list(devices)); }

// What a specification may call a device, the surest first.
Strings possible_cdi_names(const GpuDevice& device) {
  const std::string kind = "nvidia.com/gpu=";
  Strings names = {kind + device.uuid};
  if (device.index.empty()) return names;
  names.push_back(kind + device.index);
  names.push_back(kind + (device.mig ? "mig" : "gpu") + device.index);
  return names;
}

// Empty: not all of them have a name.
Strings cdi_names_of(const Devices& devices, const Strings& known) {
  Strings names;
  for (const GpuDevice& device : devices) {
    const Strings possible = possible_cdi_names(device);
    const auto found = std::find_if(possible.begin(), possible.end(),
                                    [&](const std::string& name) { return has(known, name); });
    if (found == possible.end()) return {};
    names.push_back(*found);
  }
  return names;
}

std::string engine_text(const EngineInfo& engine) {
  return (engine.podman ? "podman " : "docker ") + engine.version;
}

// From version 5 on podman honours requests for the driver `cdi`, and silently ignores all others.
bool takes_cdi(const EngineInfo& engine) {
  constexpr int first = 5;
  if (engine.podman) return std::atoi(engine.version.c_str()) >= first;
  return !engine.cdi_folders.empty() || !engine.cdi_devices.empty();
}

std::optional<GpuRoute> by_cdi(const EngineInfo& engine, const GpuHost& host,
                               const Devices& devices) {
  if (!takes_cdi(engine)) return std::nullopt;
  GpuRoute route{.mechanism = Mechanism::cdi, .devices = devices};
  route.names = cdi_names_of(devices, engine.cdi_devices);
  route.cause = "the engine lists these devices";
  if (!route.names.empty()) return route;
  if (!engine.cdi_devices.empty()) return std::nullopt;
  route.names = cdi_names_of(devices, host.cdi_devices);
  route.cause = "the engine takes CDI names, and the specifications of this host have these";
  if (!route.names.empty()) return route;
  return std::nullopt;
}

[[noreturn]] void refuse_podman(const EngineInfo& engine, const Devices& devices) {
  const std::string why =
      takes_cdi(engine) ? "no CDI specification of this host names " + uuids(devices)
                        : "it takes no CDI names through this API, and ignores any other request";
  throw GpuRefusal(engine_text(engine) + " cannot give these GPUs: " + why +
                   "; it would start the container without them\n  use podman 5 or newer with "
                   "`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`, or docker");
}

GpuRoute nvidia_route(const EngineInfo& engine, const GpuHost& host, const Devices& devices) {
  if (auto route = by_cdi(engine, host, devices)) return *route;
  if (engine.podman) refuse_podman(engine, devices);
  GpuRoute route{.devices = devices, .names = uuid_list(devices)};
  const bool runtime = has(engine.runtimes, "nvidia");
  if (runtime && !host.nvidia_hook) {
    route.mechanism = Mechanism::nvidia_runtime;
    route.cause =
        "the engine has this runtime and no CDI name of these devices, and this host has no "
        "nvidia-container-runtime-hook";
    return route;
  }
  route.mechanism = Mechanism::device_requests;
  route.cause = host.nvidia_hook
                    ? "this host has nvidia-container-runtime-hook, and the engine no CDI name of "
                      "these devices"
                    : "the engine lists neither a CDI name of these devices nor a runtime `nvidia`";
  if (!host.nvidia_hook) route.remedy = install_toolkit;
  return route;
}

GpuRoute amd_route(const GpuHost& host, const Devices& devices) {
  GpuRoute route{.mechanism = Mechanism::device_files,
                 .devices = devices,
                 .names = {kfd},
                 .cause = "AMD's GPUs need nothing but their device files"};
  for (const GpuDevice& device : devices) {
    const std::string file = device_file(device);
    if (file.empty())
      throw GpuRefusal("the device file of " + device.uuid +
                       " is not known\n  /dev/dri/renderD<n> is missing: load the amdgpu driver");
    route.names.push_back(file);
  }
  for (const std::string& file : route.names) {
    const auto group = host.groups.find(file);
    if (group != host.groups.end() && !has(route.groups, group->second))
      route.groups.push_back(group->second);
  }
  return route;
}

bool is_gpu_request(const DeviceRequest& request) {
  const auto gpu_name = [](const std::string& id) {
    return id.starts_with("nvidia.com/") || id.starts_with("amd.com/");
  };
  const auto gpu_words = [](const Strings& words) { return has(words, "gpu"); };
  return request.driver == "nvidia" ||
         std::any_of(request.ids.begin(), request.ids.end(), gpu_name) ||
         std::any_of(request.capabilities.begin(), request.capabilities.end(), gpu_words);
}

bool sets(const std::string& line, const std::string& variable) {
  return line.starts_with(variable + "=");
}

void set_variable(Strings& env, const std::string& variable, const std::string& value) {
  std::erase_if(env, [&](const std::string& line) { return sets(line, variable); });
  env.push_back(variable + "=" + value);
}

// The first request for GPUs, or what we say ourselves; none is left in the description.
DeviceRequest taken_request(ContainerSpec& spec) {
  DeviceRequest request{.driver = "nvidia", .capabilities = {{"gpu", "compute", "utility"}}};
  const auto own =
      std::find_if(spec.device_requests.begin(), spec.device_requests.end(), is_gpu_request);
  if (own != spec.device_requests.end() && own->driver != "cdi") {
    request.driver = own->driver;
    request.options = own->options;
    if (!own->capabilities.empty()) request.capabilities = own->capabilities;
  }
  std::erase_if(spec.device_requests, is_gpu_request);
  return request;
}

}  // namespace

std::string device_file(const GpuDevice& device) {
  if (!device.minor) return "";
  if (device.vendor == GpuDevice::Vendor::amd)
    return "/dev/dri/renderD" + std::to_string(first_render_minor + *device.minor);
  return "/dev/nvidia" + std::to_string(*device.minor);
}

std::string text_of(const GpuRoute& route) {
  static const std::map<Mechanism, std::string> names = {
      {Mechanism::none, "no GPUs"},
      {Mechanism::cdi, "CDI"},
      {Mechanism::device_requests, "DeviceRequests"},
      {Mechanism::nvidia_runtime, "runtime nvidia"},
      {Mechanism::device_files, "device files"}};
  std::string text = names.at(route.mechanism);
  if (!route.names.empty()) text += ", " + joined(route.names);
  for (const std::string& group : route.groups) text += ", group " + group;
  return text + (route.cause.empty() ? "" : ": " + route.cause);
}

GpuRoute choose_gpu_route(const EngineInfo& engine, const GpuHost& host, const Devices& devices) {
  if (devices.empty()) return {.cause = "none are asked for"};
  const auto is_amd = [](const GpuDevice& device) {
    return device.vendor == GpuDevice::Vendor::amd;
  };
  const auto amd = std::count_if(devices.begin(), devices.end(), is_amd);
  if (amd == 0) return nvidia_route(engine, host, devices);
  if (amd == static_cast<std::ptrdiff_t>(devices.size())) return amd_route(host, devices);
  throw GpuRefusal("GPUs of NVIDIA and of AMD in one container: " + uuids(devices) +
                   "\n  pin `gpus` of the run to those of one of them");
}

bool without_gpus(ContainerSpec& spec) {
  std::size_t there = std::erase_if(spec.device_requests, is_gpu_request);
  there += std::erase_if(spec.devices, [](const DeviceNode& node) {
    return node.host == kfd || node.host.starts_with("/dev/dri") ||
           node.host.starts_with("/dev/nvidia");
  });
  if (spec.runtime == "nvidia") {
    spec.runtime.clear();
    ++there;
  }
  set_variable(spec.env, visible, "void");
  return there > 0;
}

void give_gpus(ContainerSpec& spec, const GpuRoute& route) {
  DeviceRequest request = taken_request(spec);
  without_gpus(spec);
  switch (route.mechanism) {
    case Mechanism::none:
      break;
    case Mechanism::cdi:
      spec.device_requests.push_back({.driver = "cdi", .ids = route.names});
      break;
    case Mechanism::device_requests:
      std::erase_if(spec.env, [](const std::string& line) { return sets(line, visible); });
      request.ids = route.names;
      spec.device_requests.push_back(std::move(request));
      break;
    case Mechanism::nvidia_runtime:
      spec.runtime = "nvidia";
      set_variable(spec.env, visible, joined(route.names));
      set_variable(spec.env, "NVIDIA_DRIVER_CAPABILITIES", "compute,utility");
      break;
    case Mechanism::device_files:
      for (const std::string& file : route.names) {
        std::erase_if(spec.devices, [&](const DeviceNode& node) { return node.target == file; });
        spec.devices.push_back({.host = file, .target = file});
      }
      for (const std::string& group : route.groups)
        if (!has(spec.group_add, group)) spec.group_add.push_back(group);
      break;
  }
}

Strings gpu_check_flags(const Devices& devices, OtherGpus others) {
  Strings flags;
  for (const GpuDevice& device : devices) {
    flags.push_back("--gpu");
    flags.push_back(device.uuid + "=" + device_file(device));
  }
  if (!devices.empty() && others == OtherGpus::allowed) flags.emplace_back("--gpus-beside");
  return flags;
}

namespace {

std::string yaml_value(std::string line) {
  line.erase(0, line.find(':') + 1);
  const auto from = line.find_first_not_of(" \t\"'");
  const auto to = line.find_last_not_of(" \t\r\"'");
  return from == std::string::npos ? "" : line.substr(from, to - from + 1);
}

// Block style, as the generators write it: `kind:` at the margin, and `name:` nowhere but in
// `devices` at the depth of its entries.
Strings yaml_cdi_names(const std::string& text) {
  Strings names;
  std::string kind;
  bool in_devices = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("kind:")) kind = yaml_value(line);
    const bool margin = !line.empty() && line[0] != ' ' && line[0] != '-' && line[0] != '#';
    if (margin) in_devices = line.starts_with("devices:");
    const auto word = line.find_first_not_of(" -");
    constexpr std::size_t deepest = 4;
    if (in_devices && word != std::string::npos && word <= deepest &&
        line.compare(word, 5, "name:") == 0)
      names.push_back(yaml_value(line));
  }
  for (std::string& name : names) name.insert(0, kind + "=");
  return kind.empty() ? Strings() : names;
}

}  // namespace

Strings cdi_names(const std::string& specification) {
  const auto parsed = nlohmann::json::parse(specification, nullptr, false);
  if (parsed.is_discarded()) return yaml_cdi_names(specification);
  Strings names;
  const auto text = [](const nlohmann::json& object, const char* key) {
    const bool there = object.is_object() && object.contains(key) && object[key].is_string();
    return there ? object[key].get<std::string>() : std::string();
  };
  const std::string kind = text(parsed, "kind");
  if (kind.empty() || !parsed.contains("devices") || !parsed["devices"].is_array()) return names;
  for (const auto& device : parsed["devices"])
    if (const std::string name = text(device, "name"); !name.empty())
      names.push_back(kind + "=" + name);
  return names;
}

std::string gpu_remedy(const std::string& engine_error) {
  const auto says = [&](const char* words) {
    return engine_error.find(words) != std::string::npos;
  };
  if (says("could not select device driver")) return install_toolkit;
  if (says("unresolvable CDI devices"))
    return "generate the CDI specifications anew: nvidia-ctk cdi generate";
  if (says("untime specified nvidia") || says("unknown or invalid runtime name: nvidia"))
    return "nvidia-ctk runtime configure, and restart the engine";
  if (says("error gathering device information"))
    return "the device file is missing where the engine runs: load the driver";
  return "";
}

}  // namespace container
