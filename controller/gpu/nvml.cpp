#include "controller/gpu/nvml.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <mutex>

namespace controller::gpu {
namespace {

// Numbers and layouts of NVIDIA's public NVML API reference (nvml.h, "Device Enums", "Device
// Structs"), which keeps them stable from driver to driver.
constexpr int success = 0;                           // NVML_SUCCESS
constexpr int not_supported = 3;                     // NVML_ERROR_NOT_SUPPORTED
constexpr int not_found = 6;                         // NVML_ERROR_NOT_FOUND
constexpr int insufficient_size = 7;                 // NVML_ERROR_INSUFFICIENT_SIZE
constexpr int temperature_gpu = 0;                   // NVML_TEMPERATURE_GPU
constexpr unsigned mig_enabled = 1;                  // NVML_DEVICE_MIG_ENABLE
constexpr unsigned long long not_available = ~0ULL;  // NVML_VALUE_NOT_AVAILABLE
constexpr std::size_t text_size = 96;                // NVML_DEVICE_UUID_V2_BUFFER_SIZE, the largest

struct MemoryInfo {  // nvmlMemory_t
  unsigned long long total, free, used;
};
struct ProcessInfo {  // nvmlProcessInfo_v2_t; nvmlProcessInfo_t of the calls with _v3 is the same
  unsigned pid;
  unsigned long long used_memory;
  unsigned gpu_instance, compute_instance;
};
struct Utilisation {  // nvmlUtilization_t
  unsigned gpu, memory;
};
struct ViolationTime {  // nvmlViolationTime_t: microseconds, nanoseconds
  unsigned long long reference_time, violation_time;
};
static_assert(sizeof(MemoryInfo) == 24 && sizeof(ProcessInfo) == 24);

constexpr int sm_clock = 1, memory_clock = 2;        // NVML_CLOCK_SM, NVML_CLOCK_MEM
constexpr int power_policy = 0, thermal_policy = 1;  // NVML_PERF_POLICY_POWER, _THERMAL
constexpr int function_not_found = 13;               // NVML_ERROR_FUNCTION_NOT_FOUND

using Handle = Nvml::Handle;
using Text = int (*)(Handle, char*, unsigned);
using Number = int (*)(Handle, unsigned*);
using Wide = int (*)(Handle, unsigned long long*);
using Processes = int (*)(Handle, unsigned*, ProcessInfo*);

constexpr unsigned most_processes = 4096;

}  // namespace

struct Nvml::Table {
  explicit Table(void* its_library) : library(its_library) {
    const auto bind = [&](auto& function, std::initializer_list<const char*> names) {
      void* found = nullptr;
      for (const char* symbol : names)
        if (found == nullptr) found = dlsym(library, symbol);
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);
    };
    bind(init, {"nvmlInit_v2"});
    bind(shutdown, {"nvmlShutdown"});
    bind(error_string, {"nvmlErrorString"});
    bind(driver_version, {"nvmlSystemGetDriverVersion"});
    bind(cuda_version, {"nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion"});
    bind(count, {"nvmlDeviceGetCount_v2"});
    bind(device, {"nvmlDeviceGetHandleByIndex_v2"});
    bind(uuid, {"nvmlDeviceGetUUID"});
    bind(name, {"nvmlDeviceGetName"});
    bind(minor, {"nvmlDeviceGetMinorNumber"});
    bind(memory, {"nvmlDeviceGetMemoryInfo"});
    bind(temperature, {"nvmlDeviceGetTemperature"});
    bind(power, {"nvmlDeviceGetPowerUsage"});
    bind(compute,
         {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"});
    bind(graphics,
         {"nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v2"});
    bind(energy, {"nvmlDeviceGetTotalEnergyConsumption"});
    bind(clock, {"nvmlDeviceGetClockInfo"});
    bind(utilisation, {"nvmlDeviceGetUtilizationRates"});
    bind(clock_events,
         {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"});
    bind(violation, {"nvmlDeviceGetViolationStatus"});
    bind(mig_mode, {"nvmlDeviceGetMigMode"});
    bind(mig_slots, {"nvmlDeviceGetMaxMigDeviceCount"});
    bind(mig_instance, {"nvmlDeviceGetMigDeviceHandleByIndex"});
    bind(set_power_limit, {"nvmlDeviceGetPowerManagementLimit"});
    bind(default_power_limit, {"nvmlDeviceGetPowerManagementDefaultLimit"});
    bind(persistence, {"nvmlDeviceGetPersistenceMode"});
    bind(ecc, {"nvmlDeviceGetEccMode"});
    bind(max_clock, {"nvmlDeviceGetMaxClockInfo"});
    bind(application_clock, {"nvmlDeviceGetApplicationsClock"});
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  ~Table() {
    if (initialised && shutdown != nullptr) shutdown();
    dlclose(library);
  }

  void* library;
  bool initialised = false;
  int (*init)();
  int (*shutdown)();
  const char* (*error_string)(int);
  int (*driver_version)(char*, unsigned);
  int (*cuda_version)(int*);
  int (*count)(unsigned*);
  int (*device)(unsigned, Handle*);
  Text uuid, name;
  Number minor, power, mig_slots;
  Wide energy, clock_events;
  int (*clock)(Handle, int, unsigned*);
  int (*utilisation)(Handle, Utilisation*);
  int (*violation)(Handle, int, ViolationTime*);
  int (*memory)(Handle, MemoryInfo*);
  int (*temperature)(Handle, int, unsigned*);
  Processes compute, graphics;
  int (*mig_mode)(Handle, unsigned*, unsigned*);
  int (*mig_instance)(Handle, unsigned, Handle*);
  Number set_power_limit, default_power_limit, persistence;
  int (*ecc)(Handle, unsigned*, unsigned*);
  int (*max_clock)(Handle, int, unsigned*);
  int (*application_clock)(Handle, int, unsigned*);

  std::string words_of(const char* call_name, int code) const {
    const char* words = error_string == nullptr ? nullptr : error_string(code);
    return std::string(call_name) + ": " +
           (words == nullptr ? "error " + std::to_string(code) : std::string(words));
  }
};

Nvml::Nvml(std::unique_ptr<Table> table) : table_(std::move(table)) {}

Nvml::~Nvml() = default;

Nvml::Opened Nvml::open(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = dlerror();
    return {.nvml = nullptr, .loaded = false, .why = why == nullptr ? "dlopen failed" : why};
  }
  auto table = std::make_unique<Table>(handle);
  if (table->init == nullptr)
    return {.nvml = nullptr, .loaded = true, .why = "it has no nvmlInit_v2"};
  const int code = table->init();
  if (code != success)
    return {.nvml = nullptr, .loaded = true, .why = table->words_of("nvmlInit_v2", code)};
  table->initialised = true;
  return {.nvml = std::unique_ptr<Nvml>(new Nvml(std::move(table))), .loaded = true, .why = ""};
}

std::shared_ptr<Nvml> Nvml::lasting(std::unique_ptr<Nvml> nvml) {
  static std::mutex turn;
  static auto& all = *new std::vector<std::shared_ptr<Nvml>>;  // lives on while the program ends
  const std::scoped_lock lock(turn);
  return nvml ? all.emplace_back(std::move(nvml)) : nullptr;
}

// "" when it succeeded.
template <class... Parameters, class... Arguments>
std::string Nvml::call(const char* name, int (*function)(Parameters...),
                       Arguments... arguments) const {
  if (function == nullptr) return std::string(name) + ": not in this driver's library";
  const int code = function(arguments...);
  return code == success ? "" : table_->words_of(name, code);
}

Reading<std::string> Nvml::driver_version() const {
  std::array<char, text_size> text{};
  const std::string why = call("nvmlSystemGetDriverVersion", table_->driver_version, text.data(),
                               static_cast<unsigned>(text.size()));
  if (!why.empty()) return Reading<std::string>::unavailable(why);
  return Reading<std::string>::of(text.data());
}

Reading<std::string> Nvml::cuda_version() const {
  int version = 0;  // 1000 * major + 10 * minor
  const std::string why = call("nvmlSystemGetCudaDriverVersion", table_->cuda_version, &version);
  if (!why.empty()) return Reading<std::string>::unavailable(why);
  return Reading<std::string>::of(std::to_string(version / 1000) + "." +
                                  std::to_string(version % 1000 / 10));
}

Reading<unsigned> Nvml::count() const {
  unsigned count = 0;
  const std::string why = call("nvmlDeviceGetCount_v2", table_->count, &count);
  return why.empty() ? Reading<unsigned>::of(count) : Reading<unsigned>::unavailable(why);
}

Reading<Nvml::Handle> Nvml::device(unsigned index) const {
  Handle device = nullptr;
  const std::string why = call("nvmlDeviceGetHandleByIndex_v2", table_->device, index, &device);
  return why.empty() ? Reading<Handle>::of(device) : Reading<Handle>::unavailable(why);
}

Reading<std::string> Nvml::uuid(Handle device) const {
  std::array<char, text_size> text{};
  const std::string why = call("nvmlDeviceGetUUID", table_->uuid, device, text.data(),
                               static_cast<unsigned>(text.size()));
  if (!why.empty()) return Reading<std::string>::unavailable(why);
  return Reading<std::string>::of(text.data());
}

Reading<std::string> Nvml::name(Handle device) const {
  std::array<char, text_size> text{};
  const std::string why = call("nvmlDeviceGetName", table_->name, device, text.data(),
                               static_cast<unsigned>(text.size()));
  if (!why.empty()) return Reading<std::string>::unavailable(why);
  return Reading<std::string>::of(text.data());
}

Reading<unsigned> Nvml::minor(Handle device) const {
  unsigned number = 0;
  const std::string why = call("nvmlDeviceGetMinorNumber", table_->minor, device, &number);
  return why.empty() ? Reading<unsigned>::of(number) : Reading<unsigned>::unavailable(why);
}

Reading<DeviceMemory> Nvml::memory(Handle device) const {
  MemoryInfo info{};
  const std::string why = call("nvmlDeviceGetMemoryInfo", table_->memory, device, &info);
  if (!why.empty()) return Reading<DeviceMemory>::unavailable(why);
  return Reading<DeviceMemory>::of({.total = info.total, .used = info.used});
}

Reading<int> Nvml::temperature(Handle device) const {
  unsigned degrees = 0;
  const std::string why =
      call("nvmlDeviceGetTemperature", table_->temperature, device, temperature_gpu, &degrees);
  if (!why.empty()) return Reading<int>::unavailable(why);
  return Reading<int>::of(static_cast<int>(degrees));
}

Reading<double> Nvml::power(Handle device) const {
  unsigned milliwatts = 0;
  const std::string why = call("nvmlDeviceGetPowerUsage", table_->power, device, &milliwatts);
  if (!why.empty()) return Reading<double>::unavailable(why);
  return Reading<double>::of(milliwatts / 1000.0);
}

namespace {

// The code of the call, which is repeated while the list outgrows the room that it was given.
int list_processes(Processes function, Handle device, std::vector<ProcessInfo>& into) {
  for (unsigned room = 64;; room *= 2) {
    into.assign(room, ProcessInfo{});
    unsigned count = room;
    const int code = function(device, &count, into.data());
    if (code == insufficient_size && room < most_processes) continue;
    into.resize(code == success ? std::min(count, room) : 0);
    return code;
  }
}

void add_new(const std::vector<ProcessInfo>& infos, std::vector<Nvml::Process>& into) {
  for (const ProcessInfo& info : infos) {
    const auto same = [&](const Nvml::Process& known) { return known.pid == info.pid; };
    if (std::any_of(into.begin(), into.end(), same)) continue;
    into.push_back(
        {.pid = info.pid,
         .memory = info.used_memory == not_available
                       ? Reading<std::uint64_t>::unavailable("the driver does not account for it")
                       : Reading<std::uint64_t>::of(info.used_memory)});
  }
}

}  // namespace

Reading<std::vector<Nvml::Process>> Nvml::processes(Handle device) const {
  using List = Reading<std::vector<Process>>;
  struct Kind {
    const char* name;
    Processes function;
    bool needed;  // one without displays may lack graphics
  };
  std::vector<Process> found;
  for (const auto& [name, function, needed] :
       {Kind{"nvmlDeviceGetComputeRunningProcesses", table_->compute, true},
        Kind{"nvmlDeviceGetGraphicsRunningProcesses", table_->graphics, false}}) {
    if (function == nullptr)
      return List::unavailable(std::string(name) + ": not in this driver's library");
    std::vector<ProcessInfo> infos;
    const int code = list_processes(function, device, infos);
    if (code == not_supported && !needed) continue;
    if (code != success) return List::unavailable(table_->words_of(name, code));
    const std::size_t before = found.size();
    add_new(infos, found);
    for (std::size_t i = before; i < found.size(); ++i) found[i].graphics = !needed;
  }
  return List::of(std::move(found));
}

// A call that fills in a T behind its other arguments; its code, and what was filled in.
template <class T, class... Parameters, class... Arguments>
int Nvml::fill(int (*function)(Parameters...), T& into, Arguments... arguments) {
  return function == nullptr ? function_not_found : function(arguments..., &into);
}

int Nvml::violation_s(Handle device, int policy, double& value) const {
  ViolationTime time{};
  const int code = fill(table_->violation, time, device, policy);
  value = static_cast<double>(time.violation_time) * 1e-9;
  return code;
}

int Nvml::clock_mhz(Handle device, int type, double& value) const {
  unsigned megahertz = 0;
  const int code = fill(table_->clock, megahertz, device, type);
  value = megahertz;
  return code;
}

int Nvml::sample(Sample what, Handle device, double& value) const {
  unsigned number = 0;
  unsigned long long wide = 0;
  Utilisation rates{};
  int code = success;
  switch (what) {
    case Sample::power_w:
      code = fill(table_->power, number, device);
      value = number / 1000.0;
      return code;
    case Sample::energy_j:
      code = fill(table_->energy, wide, device);
      value = static_cast<double>(wide) / 1000.0;
      return code;
    case Sample::temperature_c:
      code = fill(table_->temperature, number, device, temperature_gpu);
      value = number;
      return code;
    case Sample::sm_clock_mhz:
      return clock_mhz(device, sm_clock, value);
    case Sample::memory_clock_mhz:
      return clock_mhz(device, memory_clock, value);
    case Sample::utilisation_pct:
      code = fill(table_->utilisation, rates, device);
      value = rates.gpu;
      return code;
    case Sample::memory_bytes: {
      MemoryInfo info{};
      code = fill(table_->memory, info, device);
      value = static_cast<double>(info.used);
      return code;
    }
    case Sample::clock_events:
      code = fill(table_->clock_events, wide, device);
      value = static_cast<double>(wide);
      return code;
    case Sample::thermal_violation_s:
      return violation_s(device, thermal_policy, value);
    case Sample::power_violation_s:
      return violation_s(device, power_policy, value);
  }
  return function_not_found;
}

std::string Nvml::why(Sample what, int code) const {
  static constexpr std::array names = {
      "nvmlDeviceGetPowerUsage",      "nvmlDeviceGetTotalEnergyConsumption",
      "nvmlDeviceGetTemperature",     "nvmlDeviceGetClockInfo",
      "nvmlDeviceGetClockInfo",       "nvmlDeviceGetUtilizationRates",
      "nvmlDeviceGetMemoryInfo",      "nvmlDeviceGetCurrentClocksEventReasons",
      "nvmlDeviceGetViolationStatus", "nvmlDeviceGetViolationStatus"};
  const char* name = names.at(static_cast<std::size_t>(what));
  if (code == function_not_found) return std::string(name) + ": not in this driver's library";
  return table_->words_of(name, code);
}

int Nvml::compute_pids(Handle device, std::span<std::uint32_t> pids, std::size_t& count) const {
  std::array<ProcessInfo, most_pids> infos;
  auto room = static_cast<unsigned>(std::min(infos.size(), pids.size()));
  count = 0;
  if (table_->compute == nullptr) return function_not_found;
  const int code = table_->compute(device, &room, infos.data());
  if (code != success) return code;
  for (; count < room; ++count) pids[count] = infos[count].pid;
  return code;
}

std::string Nvml::why_no_pids(int code) const {
  constexpr char name[] = "nvmlDeviceGetComputeRunningProcesses";
  if (code == function_not_found) return std::string(name) + ": not in this driver's library";
  return table_->words_of(name, code);
}

Reading<bool> Nvml::mig_mode(Handle device) const {
  unsigned current = 0, pending = 0;
  if (table_->mig_mode == nullptr) return Reading<bool>::of(false);
  const int code = table_->mig_mode(device, &current, &pending);
  if (code == not_supported) return Reading<bool>::of(false);
  if (code != success)
    return Reading<bool>::unavailable(table_->words_of("nvmlDeviceGetMigMode", code));
  return Reading<bool>::of(current == mig_enabled);
}

Reading<unsigned> Nvml::mig_slots(Handle device) const {
  unsigned count = 0;
  const std::string why = call("nvmlDeviceGetMaxMigDeviceCount", table_->mig_slots, device, &count);
  return why.empty() ? Reading<unsigned>::of(count) : Reading<unsigned>::unavailable(why);
}

Reading<Nvml::Handle> Nvml::mig_instance(Handle device, unsigned slot) const {
  constexpr char name[] = "nvmlDeviceGetMigDeviceHandleByIndex";
  Handle instance = nullptr;
  if (table_->mig_instance == nullptr)
    return Reading<Handle>::unavailable(std::string(name) + ": not in this driver's library");
  const int code = table_->mig_instance(device, slot, &instance);
  if (code == not_found) return Reading<Handle>::of(nullptr);
  if (code != success) return Reading<Handle>::unavailable(table_->words_of(name, code));
  return Reading<Handle>::of(instance);
}

Reading<double> Nvml::watts(const char* name, int (*function)(Handle, unsigned*),
                            Handle device) const {
  unsigned milliwatts = 0;
  const std::string why = call(name, function, device, &milliwatts);
  return why.empty() ? Reading<double>::of(milliwatts / 1000.0) : Reading<double>::unavailable(why);
}

Reading<double> Nvml::set_power_limit(Handle device) const {
  return watts("nvmlDeviceGetPowerManagementLimit", table_->set_power_limit, device);
}

Reading<double> Nvml::default_power_limit(Handle device) const {
  return watts("nvmlDeviceGetPowerManagementDefaultLimit", table_->default_power_limit, device);
}

Reading<bool> Nvml::persistence(Handle device) const {
  unsigned mode = 0;
  const std::string why = call("nvmlDeviceGetPersistenceMode", table_->persistence, device, &mode);
  return why.empty() ? Reading<bool>::of(mode != 0) : Reading<bool>::unavailable(why);
}

Reading<bool> Nvml::ecc(Handle device) const {
  unsigned current = 0, pending = 0;
  const std::string why = call("nvmlDeviceGetEccMode", table_->ecc, device, &current, &pending);
  return why.empty() ? Reading<bool>::of(current != 0) : Reading<bool>::unavailable(why);
}

Reading<unsigned> Nvml::clock(const char* name, int (*function)(Handle, int, unsigned*),
                              Handle device, Domain what) const {
  unsigned megahertz = 0;
  const std::string why = call(name, function, device, static_cast<int>(what), &megahertz);
  return why.empty() ? Reading<unsigned>::of(megahertz) : Reading<unsigned>::unavailable(why);
}

Reading<unsigned> Nvml::max_clock(Handle device, Domain what) const {
  return clock("nvmlDeviceGetMaxClockInfo", table_->max_clock, device, what);
}

Reading<unsigned> Nvml::application_clock(Handle device, Domain what) const {
  return clock("nvmlDeviceGetApplicationsClock", table_->application_clock, device, what);
}

}  // namespace controller::gpu
