// What is known of the GPUs of this host, as plain data. A value that could not be read carries the
// reason and is never 0: "unavailable" and "nothing" are different findings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace controller::gpu {

// A value, or why there is none.
template <class T>
struct Reading {
  std::optional<T> value;
  std::string why = "not asked for";  // counts only without a value

  static Reading of(T known) { return {.value = std::move(known), .why = ""}; }
  static Reading unavailable(const std::string& reason) {
    return {.value = std::nullopt, .why = reason};
  }
  explicit operator bool() const { return value.has_value(); }
  const T& operator*() const { return *value; }
  const T* operator->() const { return &*value; }
};

struct DeviceMemory {
  std::uint64_t total = 0, used = 0;  // bytes; the driver's own share is in `used`
};

// A process that has a context on a device. Name and user come from /proc: "" where it does not
// tell (another container's process, one that has just ended).
struct DeviceProcess {
  std::int64_t pid = 0;
  std::string name, user;
  Reading<std::uint64_t> memory;  // bytes
};

// A whole GPU, or a MIG instance: a part of one that is handed out like a GPU.
struct Device {
  enum class Vendor { nvidia, amd } vendor = Vendor::nvidia;
  std::string index;  // "0" in the order of the PCI bus, by vendor; an instance "0:1"
  // n of /dev/nvidia<n>, 128 + n of /dev/dri/renderD<n>; of an instance its GPU's.
  std::optional<int> minor;
  std::string uuid;  // "GPU-...", "MIG-...": what leases and selections go by
  std::string name;
  std::string parent;  // uuid of the GPU that a MIG instance is part of, "" = a whole GPU
  bool mig = false;    // a whole GPU in MIG mode: work runs on its instances alone
  Reading<DeviceMemory> memory;
  Reading<int> temperature;  // degrees Celsius; an instance has no sensors of its own
  Reading<double> power;     // watts
  Reading<std::vector<DeviceProcess>> processes;
};

// A place that was asked for GPUs.
struct Place {
  enum class Answer { devices, nothing, fault } answer = Answer::nothing;
  std::string name;     // "NVML (libnvidia-ml.so.1)"
  std::string finding;  // "2 GPUs", "cannot be opened: ...", "did not answer within 30 s"
};

struct Inventory {
  std::vector<Device> devices;  // an instance stands after its GPU
  Reading<std::string> driver_version, cuda_version;
  std::vector<Place> places;  // in the order in which they were asked
};

}  // namespace controller::gpu
