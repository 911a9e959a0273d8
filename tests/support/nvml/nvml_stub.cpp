// A stand-in for libnvidia-ml.so.1 that does what a script says, for hosts without a GPU: a real
// shared library with NVML's names and layouts, loaded like the real one (by path, or found first
// through LD_LIBRARY_PATH).
//
// What a script says: nvml_script.hpp.
//
// Built with NVML_STUB_OLD it has the calls of a driver from before MIG's instances were listed by
// _v3: processes by _v2 names, neither temperature nor power, throttle reasons by their old name.
#include <time.h>

#include <cstdlib>
#include <cstring>

#include "tests/support/nvml/nvml_script.hpp"

// A function of ours under NVML's name.
#define NVML_CALL(result, symbol, name, parameters)                                         \
  extern "C" __attribute__((visibility("default"))) result name parameters __asm__(symbol); \
  result name parameters

namespace {

using nvml_stub::energy_counter;
using nvml_stub::is_there;
using nvml_stub::read_script;
using nvml_stub::Script;
using nvml_stub::ScriptPtr;
using nvml_stub::seconds_of;
using nvml_stub::Series;
using nvml_stub::series_of;

constexpr int success = 0, invalid_argument = 2, not_supported = 3, not_found = 6;
constexpr int insufficient_size = 7;
constexpr unsigned long long not_available = ~0ULL;
constexpr unsigned most_slots = 100;

// A handle is the place number 100 * N, and 1 + S more for an instance.
char* places() {
  static char all[6400];
  return all;
}

std::string where_of(const void* handle) {
  const auto number = static_cast<unsigned>(static_cast<const char*>(handle) - places());
  const std::string gpu = std::to_string(number / most_slots);
  return number % most_slots == 0 ? gpu : gpu + ":" + std::to_string(number % most_slots - 1);
}

void* handle_of(unsigned gpu, unsigned instance) { return places() + most_slots * gpu + instance; }

// What every call begins with: hangs, or the code that it is to fail with.
int begin(const Script& script, const std::string& call, const std::string& where) {
  while (script.hanging.contains(call + " *") || script.hanging.contains(call + " " + where)) {
    const timespec long_time{3600, 0};
    nanosleep(&long_time, nullptr);
  }
  for (const std::string& place : {where, std::string("*")}) {
    const auto found = script.errors.find(call + " " + place);
    if (found != script.errors.end()) return found->second;
  }
  return success;
}

int text_into(const std::string& text, char* into, unsigned length) {
  if (text.size() + 1 > length) return insufficient_size;
  std::memcpy(into, text.c_str(), text.size() + 1);
  return success;
}

const std::string* key_of(const Script& script, void* device, const std::string& key) {
  const auto found = script.devices.find(where_of(device));
  if (found == script.devices.end()) return nullptr;
  const auto value = found->second.find(key);
  return value == found->second.end() ? nullptr : &value->second;
}

int text_key(const char* call, void* device, const char* key, std::pair<char*, unsigned> into) {
  const ScriptPtr script = read_script();
  const int code = begin(*script, call, where_of(device));
  if (code != success) return code;
  const std::string* value = key_of(*script, device, key);
  return value == nullptr ? not_supported : text_into(*value, into.first, into.second);
}

int number_key(const char* call, void* device, const char* key, unsigned long long& into) {
  const ScriptPtr script = read_script();
  const int code = begin(*script, call, where_of(device));
  if (code != success) return code;
  const Series* value = series_of(*script, where_of(device), key);
  if (value == nullptr) return not_supported;
  into = static_cast<unsigned long long>(value_of(*script, *value));
  return success;
}

int energy_key(const char* call, void* device, unsigned long long& into) {
  const ScriptPtr script = read_script();
  const int code = begin(*script, call, where_of(device));
  if (code != success) return code;
  return energy_counter(*script, where_of(device), into) ? success : not_supported;
}

// Nanoseconds of violation so far.
int violation_counter(const char* call, void* device, const char* key, unsigned long long& into) {
  const ScriptPtr script = read_script();
  const int code = begin(*script, call, where_of(device));
  if (code != success) return code;
  const Series* rate = series_of(*script, where_of(device), key);
  if (rate == nullptr) return not_supported;
  into = static_cast<unsigned long long>(rate->integral(seconds_of(*script)) * 1e9);
  return success;
}

int small_number_key(const char* call, void* device, const char* key, unsigned* into) {
  unsigned long long value = 0;
  const int code = number_key(call, device, key, value);
  if (code == success) *into = static_cast<unsigned>(value);
  return code;
}

struct MemoryInfo {
  unsigned long long total, free, used;
};
struct ProcessInfo {
  unsigned pid;
  unsigned long long used_memory;
  unsigned gpu_instance, compute_instance;
};
struct ProcessList {
  unsigned* count;
  ProcessInfo* infos;
};

struct Utilisation {
  unsigned gpu, memory;
};
struct ViolationTime {
  unsigned long long reference_time, violation_time;
};

enum class Work { compute, graphics };

int list_processes(Work work, const char* call, void* device, ProcessList into) {
  const ScriptPtr script = read_script();
  const int code = begin(*script, call, where_of(device));
  if (code != success) return code;
  unsigned found = 0;
  const double now = seconds_of(*script);
  for (const auto& [where, keys] : script->processes) {
    if (where != where_of(device) || keys.contains("graphics") != (work == Work::graphics) ||
        !is_there(keys, now))
      continue;
    if (found < *into.count)
      into.infos[found] = {
          .pid = static_cast<unsigned>(std::strtoul(keys.at("pid").c_str(), nullptr, 10)),
          .used_memory = keys.contains("memory")
                             ? std::strtoull(keys.at("memory").c_str(), nullptr, 10)
                             : not_available,
          .gpu_instance = ~0U,
          .compute_instance = ~0U};
    ++found;
  }
  const bool fits = found <= *into.count;
  *into.count = found;
  return fits ? success : insufficient_size;
}

}  // namespace

NVML_CALL(int, "nvmlInit_v2", init, ()) { return begin(*read_script(), "nvmlInit_v2", "*"); }

NVML_CALL(int, "nvmlShutdown", shutdown, ()) { return begin(*read_script(), "nvmlShutdown", "*"); }

NVML_CALL(const char*, "nvmlErrorString", error_string, (int code)) {
  switch (code) {
    case not_supported:
      return "Not Supported";
    case 4:
      return "Insufficient Permissions";
    case not_found:
      return "Not Found";
    case insufficient_size:
      return "Insufficient Size";
    case 9:
      return "Driver Not Loaded";
    case 15:
      return "GPU is lost";
    case 18:
      return "Driver/library version mismatch";
    default:
      return "Unknown Error";
  }
}

NVML_CALL(int, "nvmlSystemGetDriverVersion", system_get_driver_version,
          (char* version, unsigned length)) {
  const ScriptPtr script = read_script();
  const int code = begin(*script, "nvmlSystemGetDriverVersion", "*");
  return code != success ? code : text_into(script->driver, version, length);
}

NVML_CALL(int, "nvmlSystemGetCudaDriverVersion_v2", system_get_cuda_driver_version,
          (int* version)) {
  const ScriptPtr script = read_script();
  *version = script->cuda;
  return begin(*script, "nvmlSystemGetCudaDriverVersion", "*");
}

NVML_CALL(int, "nvmlDeviceGetCount_v2", device_get_count, (unsigned* count)) {
  const ScriptPtr script = read_script();
  *count = 0;
  while (script->devices.contains(std::to_string(*count))) ++*count;
  return begin(*script, "nvmlDeviceGetCount_v2", "*");
}

NVML_CALL(int, "nvmlDeviceGetHandleByIndex_v2", device_get_handle_by_index,
          (unsigned index, void** device)) {
  const ScriptPtr script = read_script();
  const std::string where = std::to_string(index);
  const int code = begin(*script, "nvmlDeviceGetHandleByIndex_v2", where);
  if (code != success) return code;
  if (!script->devices.contains(where)) return invalid_argument;
  *device = handle_of(index, 0);
  return success;
}

NVML_CALL(int, "nvmlDeviceGetUUID", device_get_uuid, (void* device, char* uuid, unsigned length)) {
  return text_key("nvmlDeviceGetUUID", device, "uuid", {uuid, length});
}

NVML_CALL(int, "nvmlDeviceGetName", device_get_name, (void* device, char* name, unsigned length)) {
  return text_key("nvmlDeviceGetName", device, "name", {name, length});
}

NVML_CALL(int, "nvmlDeviceGetMinorNumber", device_get_minor_number,
          (void* device, unsigned* number)) {
  return small_number_key("nvmlDeviceGetMinorNumber", device, "minor", number);
}

NVML_CALL(int, "nvmlDeviceGetMemoryInfo", device_get_memory_info,
          (void* device, MemoryInfo* memory)) {
  int code = number_key("nvmlDeviceGetMemoryInfo", device, "total", memory->total);
  if (code == success) code = number_key("nvmlDeviceGetMemoryInfo", device, "used", memory->used);
  memory->free = memory->total - memory->used;
  return code;
}

NVML_CALL(int, "nvmlDeviceGetTotalEnergyConsumption", device_get_total_energy_consumption,
          (void* device, unsigned long long* millijoules)) {
  return energy_key("nvmlDeviceGetTotalEnergyConsumption", device, *millijoules);
}

NVML_CALL(int, "nvmlDeviceGetClockInfo", device_get_clock_info,
          (void* device, int type, unsigned* megahertz)) {
  constexpr int sm = 1;
  return small_number_key("nvmlDeviceGetClockInfo", device, type == sm ? "sm" : "memory_clock",
                          megahertz);
}

NVML_CALL(int, "nvmlDeviceGetUtilizationRates", device_get_utilization_rates,
          (void* device, Utilisation* rates)) {
  rates->memory = 0;
  return small_number_key("nvmlDeviceGetUtilizationRates", device, "utilisation", &rates->gpu);
}

NVML_CALL(int, "nvmlDeviceGetViolationStatus", device_get_violation_status,
          (void* device, int policy, ViolationTime* time)) {
  constexpr int thermal = 1;
  time->reference_time = 0;
  return violation_counter("nvmlDeviceGetViolationStatus", device,
                           policy == thermal ? "thermal_rate" : "power_rate", time->violation_time);
}

NVML_CALL(int, "nvmlDeviceGetMigMode", device_get_mig_mode,
          (void* device, unsigned* current, unsigned* pending)) {
  const int code = small_number_key("nvmlDeviceGetMigMode", device, "slots", current);
  if (code != success) return code;
  *current = *current > 0 ? 1 : 0;
  *pending = *current;
  return success;
}

NVML_CALL(int, "nvmlDeviceGetMaxMigDeviceCount", device_get_max_mig_device_count,
          (void* device, unsigned* count)) {
  return small_number_key("nvmlDeviceGetMaxMigDeviceCount", device, "slots", count);
}

NVML_CALL(int, "nvmlDeviceGetMigDeviceHandleByIndex", device_get_mig_device_handle_by_index,
          (void* device, unsigned slot, void** instance)) {
  const ScriptPtr script = read_script();
  const std::string where = where_of(device) + ":" + std::to_string(slot);
  const int code = begin(*script, "nvmlDeviceGetMigDeviceHandleByIndex", where);
  if (code != success) return code;
  if (!script->devices.contains(where)) return not_found;
  const auto gpu = static_cast<unsigned>(std::strtoul(where.c_str(), nullptr, 10));
  *instance = handle_of(gpu, slot + 1);
  return success;
}

#ifdef NVML_STUB_OLD

NVML_CALL(int, "nvmlDeviceGetCurrentClocksThrottleReasons", device_get_current_clocks_reasons,
          (void* device, unsigned long long* reasons)) {
  return number_key("nvmlDeviceGetCurrentClocksThrottleReasons", device, "reasons", *reasons);
}

NVML_CALL(int, "nvmlDeviceGetComputeRunningProcesses_v2", device_get_compute_running_processes,
          (void* device, unsigned* count, ProcessInfo* infos)) {
  return list_processes(Work::compute, "nvmlDeviceGetComputeRunningProcesses", device,
                        {count, infos});
}

NVML_CALL(int, "nvmlDeviceGetGraphicsRunningProcesses_v2", device_get_graphics_running_processes,
          (void* device, unsigned* count, ProcessInfo* infos)) {
  return list_processes(Work::graphics, "nvmlDeviceGetGraphicsRunningProcesses", device,
                        {count, infos});
}

#else

NVML_CALL(int, "nvmlDeviceGetCurrentClocksEventReasons", device_get_current_clocks_reasons,
          (void* device, unsigned long long* reasons)) {
  return number_key("nvmlDeviceGetCurrentClocksEventReasons", device, "reasons", *reasons);
}

NVML_CALL(int, "nvmlDeviceGetComputeRunningProcesses_v3", device_get_compute_running_processes,
          (void* device, unsigned* count, ProcessInfo* infos)) {
  return list_processes(Work::compute, "nvmlDeviceGetComputeRunningProcesses", device,
                        {count, infos});
}

NVML_CALL(int, "nvmlDeviceGetGraphicsRunningProcesses_v3", device_get_graphics_running_processes,
          (void* device, unsigned* count, ProcessInfo* infos)) {
  return list_processes(Work::graphics, "nvmlDeviceGetGraphicsRunningProcesses", device,
                        {count, infos});
}

NVML_CALL(int, "nvmlDeviceGetTemperature", device_get_temperature,
          (void* device, int, unsigned* degrees)) {
  return small_number_key("nvmlDeviceGetTemperature", device, "temperature", degrees);
}

NVML_CALL(int, "nvmlDeviceGetPowerUsage", device_get_power_usage,
          (void* device, unsigned* milliwatts)) {
  return small_number_key("nvmlDeviceGetPowerUsage", device, "power", milliwatts);
}

NVML_CALL(int, "nvmlDeviceGetPowerManagementLimit", device_get_power_management_limit,
          (void* device, unsigned* milliwatts)) {
  return small_number_key("nvmlDeviceGetPowerManagementLimit", device, "set_limit", milliwatts);
}

NVML_CALL(int, "nvmlDeviceGetPowerManagementDefaultLimit",
          device_get_power_management_default_limit, (void* device, unsigned* milliwatts)) {
  return small_number_key("nvmlDeviceGetPowerManagementDefaultLimit", device, "default_limit",
                          milliwatts);
}

NVML_CALL(int, "nvmlDeviceGetPersistenceMode", device_get_persistence_mode,
          (void* device, unsigned* mode)) {
  return small_number_key("nvmlDeviceGetPersistenceMode", device, "persistence", mode);
}

NVML_CALL(int, "nvmlDeviceGetEccMode", device_get_ecc_mode,
          (void* device, unsigned* current, unsigned* pending)) {
  *pending = 0;
  return small_number_key("nvmlDeviceGetEccMode", device, "ecc", current);
}

NVML_CALL(int, "nvmlDeviceGetMaxClockInfo", device_get_max_clock_info,
          (void* device, int type, unsigned* megahertz)) {
  return small_number_key("nvmlDeviceGetMaxClockInfo", device,
                          type == 0 ? "max_graphics" : "max_memory", megahertz);
}

NVML_CALL(int, "nvmlDeviceGetApplicationsClock", device_get_applications_clock,
          (void* device, int type, unsigned* megahertz)) {
  return small_number_key("nvmlDeviceGetApplicationsClock", device,
                          type == 0 ? "app_graphics" : "app_memory", megahertz);
}

#endif
