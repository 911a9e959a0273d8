#include "controller/environment/gpus.hpp"

#include <array>
#include <type_traits>

namespace controller {

using campaign::Fact;
using campaign::FactGroup;
using gpu::Device;
using gpu::Nvml;
using gpu::Reading;
using Domain = Nvml::Domain;
using Handle = Nvml::Handle;

namespace {

template <class T>
Fact fact_of(const std::string& name, const Reading<T>& reading) {
  if (!reading) return Fact::unknown(name, reading.why);
  if constexpr (std::is_same_v<T, unsigned>)
    return Fact::of(name, static_cast<std::int64_t>(*reading));
  else
    return Fact::of(name, *reading);
}

struct Setting {
  const char* name;
  Fact (*read)(const char* fact, const Nvml& nvml, Handle device);
};

constexpr std::array settings = {
    Setting{"driver_version", [](const char* fact, const Nvml& nvml,
                                 Handle) { return fact_of(fact, nvml.driver_version()); }},
    Setting{"cuda_version", [](const char* fact, const Nvml& nvml,
                               Handle) { return fact_of(fact, nvml.cuda_version()); }},
    Setting{"power_limit_w",
            [](const char* fact, const Nvml& nvml, Handle device) {
              return fact_of(fact, nvml.set_power_limit(device));
            }},
    Setting{"default_power_limit_w",
            [](const char* fact, const Nvml& nvml, Handle device) {
              return fact_of(fact, nvml.default_power_limit(device));
            }},
    Setting{"persistence", [](const char* fact, const Nvml& nvml,
                              Handle device) { return fact_of(fact, nvml.persistence(device)); }},
    Setting{"ecc", [](const char* fact, const Nvml& nvml,
                      Handle device) { return fact_of(fact, nvml.ecc(device)); }},
    Setting{"max_graphics_mhz",
            [](const char* fact, const Nvml& nvml, Handle device) {
              return fact_of(fact, nvml.max_clock(device, Domain::graphics));
            }},
    Setting{"max_memory_mhz",
            [](const char* fact, const Nvml& nvml, Handle device) {
              return fact_of(fact, nvml.max_clock(device, Domain::memory));
            }},
    Setting{"application_graphics_mhz",
            [](const char* fact, const Nvml& nvml, Handle device) {
              return fact_of(fact, nvml.application_clock(device, Domain::graphics));
            }},
    Setting{"application_memory_mhz",
            [](const char* fact, const Nvml& nvml, Handle device) {
              return fact_of(fact, nvml.application_clock(device, Domain::memory));
            }},
};

FactGroup identity_of(const Device& device) {
  FactGroup group{.name = device.uuid,
                  .facts = {Fact::of("uuid", device.uuid), Fact::of("index", device.index),
                            device.name.empty() ? Fact::unknown("name", "the driver does not say")
                                                : Fact::of("name", device.name)}};
  if (device.parent.empty())
    group.facts.push_back(Fact::of("mig", device.mig));
  else
    group.facts.push_back(Fact::of("mig_instance_of", device.parent));
  group.facts.push_back(
      device.memory ? Fact::of("memory_bytes", static_cast<std::int64_t>(device.memory->total))
                    : Fact::unknown("memory_bytes", device.memory.why));
  return group;
}

}  // namespace

FactGroup device_facts(const Device& device, const std::string& why) {
  FactGroup group = identity_of(device);
  for (const Setting& setting : settings) group.facts.push_back(Fact::unknown(setting.name, why));
  return group;
}

Reading<Handle> GpuSettings::handle_of(const Device& device) const {
  const std::string& uuid = device.parent.empty() ? device.uuid : device.parent;
  const Nvml& nvml = *nvml_;
  const Reading<unsigned> count = nvml.count();
  if (!count) return Reading<Handle>::unavailable(count.why);
  for (unsigned index = 0; index < *count; ++index) {
    const Reading<Handle> handle = nvml.device(index);
    if (!handle) continue;
    const Reading<std::string> known = nvml.uuid(*handle);
    if (known && *known == uuid) return handle;
  }
  return Reading<Handle>::unavailable("the driver has no " + uuid);
}

std::vector<FactGroup> GpuSettings::read(const std::vector<Device>& devices) {
  const std::lock_guard<std::mutex> lock(turn_);
  if (!opened_) {
    Nvml::Opened opened = Nvml::open(library_);
    nvml_ = Nvml::lasting(std::move(opened.nvml));
    why_ = std::move(opened.why);
  }
  opened_ = true;
  std::vector<FactGroup> groups;
  for (const Device& device : devices) {
    if (device.vendor != Device::Vendor::nvidia) {
      groups.push_back(device_facts(device, "read from NVIDIA's library alone"));
      continue;
    }
    if (!nvml_) {
      groups.push_back(device_facts(device, library_ + ": " + why_));
      continue;
    }
    const Reading<Handle> handle = handle_of(device);
    if (!handle) {
      groups.push_back(device_facts(device, handle.why));
      continue;
    }
    FactGroup group = identity_of(device);
    for (const Setting& setting : settings)
      group.facts.push_back(setting.read(setting.name, *nvml_, *handle));
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace controller
