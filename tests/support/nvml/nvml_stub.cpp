// A stand-in for libnvidia-ml.so.1 that does what a script says, for hosts without a GPU: a real
// shared library with NVML's names and layouts, loaded like the real one (by path, or found first
// through LD_LIBRARY_PATH).
//
// The environment variable NVML_STUB names the script. It is read anew at each call, so a test may
// change it while a program runs. A line is a word and what belongs to it; "#" begins a comment
// line. Without a script there are no GPUs.
//
//   driver 550.54.15                    version of the driver
//   cuda 12040                          1000 * major + 10 * minor
//   gpu N KEY=VALUE... [name=TEXT]      a GPU; N from 0 without holes. uuid, minor, total and used
//                                       (bytes), temperature (C, or plant:T0,T_INF,TAU: cools
//                                       from T0 to T_INF with the time constant TAU, seconds, since
//                                       the script was last written), power (mW), slots (> 0: in
//                                       MIG mode, with room for so many instances); set_limit and
//                                       default_limit (mW), persistence and ecc (0, 1),
//                                       max_graphics, max_memory, app_graphics and app_memory
//                                       (MHz). The name takes the rest of the line
//   instance N:S KEY=VALUE...           a MIG instance in slot S of GPU N, likewise
//   process WHERE pid=P [memory=BYTES] [graphics=1]     WHERE is N or N:S; without memory the
//                                       driver does not account for it
//   error CALL WHERE CODE               this call fails; WHERE is N, N:S or *
//   hang CALL                           this call does not return
//
// Built with NVML_STUB_OLD it has the calls of a driver from before MIG's instances were listed by
// _v3: processes by _v2 names, neither temperature nor power.
#include <sys/stat.h>
#include <time.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

// A function of ours under NVML's name.
#define NVML_CALL(result, symbol, name, parameters)                                         \
  extern "C" __attribute__((visibility("default"))) result name parameters __asm__(symbol); \
  result name parameters

namespace {

constexpr int success = 0, invalid_argument = 2, not_supported = 3, not_found = 6;
constexpr int insufficient_size = 7;
constexpr unsigned long long not_available = ~0ULL;
constexpr unsigned most_slots = 100;

using Keys = std::map<std::string, std::string>;

struct Script {
  std::string driver = "550.54.15";
  int cuda = 12040;
  std::map<std::string, Keys> devices;  // by "N" or "N:S"
  std::vector<std::pair<std::string, Keys>> processes;
  std::map<std::string, int> errors;  // by "CALL WHERE"
  std::map<std::string, bool> hanging;
};

Keys keys_of(std::istringstream& line) {
  Keys keys;
  for (std::string word; line >> word;) {
    const std::size_t equals = word.find('=');
    std::string& value = keys[word.substr(0, equals)];
    value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (word.compare(0, equals, "name") != 0) continue;
    std::string rest;
    std::getline(line, rest);
    value += rest;
  }
  return keys;
}

Script read_script() {
  Script script;
  const char* path = std::getenv("NVML_STUB");
  std::ifstream file(path == nullptr ? "" : path);
  for (std::string text; std::getline(file, text);) {
    std::istringstream line(text);
    std::string word, where;
    line >> word;
    if (word == "driver") {
      line >> script.driver;
    } else if (word == "cuda") {
      line >> script.cuda;
    } else if (word == "gpu" || word == "instance") {
      line >> where;
      script.devices[where] = keys_of(line);
    } else if (word == "process") {
      line >> where;
      script.processes.emplace_back(where, keys_of(line));
    } else if (word == "error") {
      std::string call;
      int code = 0;
      line >> call >> where >> code;
      script.errors[call + " " + where] = code;
    } else if (word == "hang") {
      line >> where;
      script.hanging[where] = true;
    }
  }
  return script;
}

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
  while (script.hanging.contains(call)) {
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
  const Script script = read_script();
  const int code = begin(script, call, where_of(device));
  if (code != success) return code;
  const std::string* value = key_of(script, device, key);
  return value == nullptr ? not_supported : text_into(*value, into.first, into.second);
}

// A number, or what a plant has come to: whole degrees, as NVML tells them.
unsigned long long value_of(const std::string& text) {
  double start = 0, rest = 0, tau = 1;
  if (std::sscanf(text.c_str(), "plant:%lf,%lf,%lf", &start, &rest, &tau) != 3)
    return std::strtoull(text.c_str(), nullptr, 10);
  struct stat script{};
  timespec now{};
  stat(std::getenv("NVML_STUB"), &script);
  clock_gettime(CLOCK_REALTIME, &now);
  const double since = static_cast<double>(now.tv_sec - script.st_mtim.tv_sec) +
                       static_cast<double>(now.tv_nsec - script.st_mtim.tv_nsec) * 1e-9;
  return static_cast<unsigned long long>(rest + (start - rest) * std::exp(-since / tau));
}

int number_key(const char* call, void* device, const char* key, unsigned long long& into) {
  const Script script = read_script();
  const int code = begin(script, call, where_of(device));
  if (code != success) return code;
  const std::string* value = key_of(script, device, key);
  if (value == nullptr) return not_supported;
  into = value_of(*value);
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

enum class Work { compute, graphics };

int list_processes(Work work, const char* call, void* device, ProcessList into) {
  const Script script = read_script();
  const int code = begin(script, call, where_of(device));
  if (code != success) return code;
  unsigned found = 0;
  for (const auto& [where, keys] : script.processes) {
    if (where != where_of(device) || keys.contains("graphics") != (work == Work::graphics))
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

NVML_CALL(int, "nvmlInit_v2", init, ()) { return begin(read_script(), "nvmlInit_v2", "*"); }

NVML_CALL(int, "nvmlShutdown", shutdown, ()) { return success; }

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
  const Script script = read_script();
  const int code = begin(script, "nvmlSystemGetDriverVersion", "*");
  return code != success ? code : text_into(script.driver, version, length);
}

NVML_CALL(int, "nvmlSystemGetCudaDriverVersion_v2", system_get_cuda_driver_version,
          (int* version)) {
  const Script script = read_script();
  *version = script.cuda;
  return begin(script, "nvmlSystemGetCudaDriverVersion", "*");
}

NVML_CALL(int, "nvmlDeviceGetCount_v2", device_get_count, (unsigned* count)) {
  const Script script = read_script();
  *count = 0;
  while (script.devices.contains(std::to_string(*count))) ++*count;
  return begin(script, "nvmlDeviceGetCount_v2", "*");
}

NVML_CALL(int, "nvmlDeviceGetHandleByIndex_v2", device_get_handle_by_index,
          (unsigned index, void** device)) {
  const Script script = read_script();
  const std::string where = std::to_string(index);
  const int code = begin(script, "nvmlDeviceGetHandleByIndex_v2", where);
  if (code != success) return code;
  if (!script.devices.contains(where)) return invalid_argument;
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
  const Script script = read_script();
  const std::string where = where_of(device) + ":" + std::to_string(slot);
  const int code = begin(script, "nvmlDeviceGetMigDeviceHandleByIndex", where);
  if (code != success) return code;
  if (!script.devices.contains(where)) return not_found;
  const auto gpu = static_cast<unsigned>(std::strtoul(where.c_str(), nullptr, 10));
  *instance = handle_of(gpu, slot + 1);
  return success;
}

#ifdef NVML_STUB_OLD

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
