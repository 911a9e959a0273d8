#include "controller/telemetry/gpu_sensors.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>

#include "controller/gpu/bounded.hpp"
#include "controller/gpu/nvml.hpp"
#include "controller/telemetry/kernel_file.hpp"

namespace controller::telemetry {

using gpu::Nvml;

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
// Until a process of the run has been seen they are looked for at every tick.
constexpr std::int64_t ns_between_looks = 900'000'000;
constexpr char initial_pid_namespace[] = "pid:[4026531836]";  // PROC_PID_INIT_INO of the kernel

struct Plain {
  GpuColumn column;
  Nvml::Sample sample;
};
constexpr std::array plain = {Plain{gpu_power_w, Nvml::Sample::power_w},
                              Plain{gpu_energy_j, Nvml::Sample::energy_j},
                              Plain{gpu_temperature_c, Nvml::Sample::temperature_c},
                              Plain{gpu_sm_clock_mhz, Nvml::Sample::sm_clock_mhz},
                              Plain{gpu_memory_clock_mhz, Nvml::Sample::memory_clock_mhz},
                              Plain{gpu_utilisation_pct, Nvml::Sample::utilisation_pct},
                              Plain{gpu_memory_bytes, Nvml::Sample::memory_bytes},
                              Plain{gpu_thermal_violation_s, Nvml::Sample::thermal_violation_s},
                              Plain{gpu_power_violation_s, Nvml::Sample::power_violation_s}};

struct Cause {
  GpuColumn column;
  std::uint64_t bit;
};
constexpr std::array causes = {Cause{gpu_hw_slowdown, gpu::clock_event::hw_slowdown},
                               Cause{gpu_hw_thermal, gpu::clock_event::hw_thermal},
                               Cause{gpu_sw_thermal, gpu::clock_event::sw_thermal},
                               Cause{gpu_hw_power_brake, gpu::clock_event::hw_power_brake},
                               Cause{gpu_sw_power_cap, gpu::clock_event::sw_power_cap}};

// What is known of a device since the library was opened. A MIG instance has memory and processes
// of its own, and the sensors of its GPU.
struct Known {
  std::string uuid;
  Nvml::Handle own = nullptr, sensors = nullptr;
  std::array<std::string, gpu_columns> unavailable;

  Nvml::Handle handle_for(Nvml::Sample sample) const {
    return sample == Nvml::Sample::memory_bytes ? own : sensors;
  }
};

std::uint64_t bits_of(double number) { return static_cast<std::uint64_t>(number); }

void probe(const Nvml& nvml, Known& device) {
  double value = 0;
  for (const Plain& each : plain)
    if (const int code = nvml.sample(each.sample, device.handle_for(each.sample), value))
      device.unavailable[each.column] = nvml.why(each.sample, code);
  const int events = nvml.sample(Nvml::Sample::clock_events, device.sensors, value);
  for (const Cause& cause : causes)
    if (events) device.unavailable[cause.column] = nvml.why(Nvml::Sample::clock_events, events);
  std::array<std::uint32_t, Nvml::most_pids> pids;
  std::size_t count = 0;
  const int code = nvml.compute_pids(device.own, pids, count);
  for (const GpuColumn column : {gpu_processes_own, gpu_processes_foreign})
    if (code) device.unavailable[column] = nvml.why_no_pids(code);
}

void add_device(const Nvml& nvml, Known device, std::vector<Known>& into) {
  const auto uuid = nvml.uuid(device.own);
  if (!uuid) return;
  device.uuid = *uuid;
  probe(nvml, device);
  into.push_back(std::move(device));
}

void add_gpu(const Nvml& nvml, unsigned index, std::vector<Known>& into) {
  const auto whole = nvml.device(index);
  if (!whole) return;
  add_device(nvml, {.uuid = {}, .own = *whole, .sensors = *whole, .unavailable = {}}, into);
  const auto mode = nvml.mig_mode(*whole);
  const auto slots = nvml.mig_slots(*whole);
  for (unsigned slot = 0; mode && *mode && slots && slot < *slots; ++slot)
    if (const auto instance = nvml.mig_instance(*whole, slot); instance && *instance)
      add_device(nvml, {.uuid = {}, .own = *instance, .sensors = *whole, .unavailable = {}}, into);
}

}  // namespace

struct GpuLibrary::Opened {
  std::shared_ptr<Nvml> nvml;
  std::string why;  // without it
  std::vector<Known> devices;
  std::atomic<bool> busy = false;  // somebody is in a call of it
};

namespace {

std::shared_ptr<GpuLibrary::Opened> open_library(const std::string& name) {
  auto opened = std::make_shared<GpuLibrary::Opened>();
  Nvml::Opened library = Nvml::open(name);
  opened->nvml = Nvml::lasting(std::move(library.nvml));
  opened->why = "NVML: " + library.why;
  if (!opened->nvml) return opened;
  const auto count = opened->nvml->count();
  if (!count) opened->why = count.why;
  for (unsigned i = 0; count && i < *count; ++i) add_gpu(*opened->nvml, i, opened->devices);
  return opened;
}

// Mounted with hidepid, /proc shows others' processes to few. The first one is there for all else.
bool hides_processes(const Roots& roots) { return !KernelFile(roots.proc + "/1/stat"); }

// Whose a process is, by /proc.
class Belonging {
 public:
  Belonging(const Roots& roots, std::shared_ptr<const RunProcesses> run)
      : proc_(roots.proc), hides_(hides_processes(roots)), run_(std::move(run)) {}
  bool known() const { return run_ && run_->known.load(std::memory_order_acquire); }

  bool elsewhere() const { return run_->elsewhere; }

  enum class Whose { ours, foreign, gone, hidden };
  Whose whose(std::uint32_t pid) {
    if (run_->root > 0) return descends(static_cast<int>(pid));
    const std::string_view groups = text(static_cast<int>(pid), "cgroup");
    if (groups.empty()) return not_there();
    for (const std::string& id : run_->containers)
      if (groups.find(id) != groups.npos) return Whose::ours;
    return Whose::foreign;
  }

 private:
  // Of /proc/<pid>/<name>, in buffer_; "" where it is not there.
  std::string_view text(int pid, std::string_view name) {
    std::array<char, 4096> path;
    if (proc_.size() + name.size() + 24 > path.size()) return "";
    char* at = std::copy(proc_.begin(), proc_.end(), path.data());
    *at++ = '/';
    at = std::to_chars(at, at + 16, pid).ptr;
    *at++ = '/';
    at = std::copy(name.begin(), name.end(), at);
    *at = '\0';
    errno = 0;
    return read_file(path.data(), buffer_);
  }

  // After a text that was "": where /proc hides, one that is hidden looks like one that is gone.
  Whose not_there() const {
    const bool absent = errno == 0 || errno == ENOENT || errno == ESRCH;
    return absent && !hides_ ? Whose::gone : Whose::hidden;
  }

  Whose descends(int pid) {
    constexpr int deepest = 256;
    for (int depth = 0; depth < deepest && pid > 1; ++depth) {
      if (pid == run_->root) return Whose::ours;
      std::string_view stat = text(pid, "stat");
      const auto name_end = stat.rfind(')');
      if (name_end == stat.npos || stat.size() < name_end + 4) {
        const Whose absent = not_there();
        return depth > 0 && absent == Whose::gone ? Whose::foreign : absent;
      }
      stat.remove_prefix(name_end + 4);  // past ") S "
      pid = static_cast<int>(take_number(stat).value_or(0));
    }
    return Whose::foreign;
  }

  const std::string proc_;
  const bool hides_;
  std::shared_ptr<const RunProcesses> run_;
  std::array<char, 4096> buffer_;
};

class GpuSensor : public Sensor {
 public:
  GpuSensor(std::shared_ptr<GpuLibrary::Opened> library, const Known& device,
            const GpuRequest& request)
      : library_(std::move(library)),
        device_(device),
        belonging_(request.roots, request.processes),
        clock_(*request.clock) {}

  int read(std::span<double> values) override {
    if (library_->busy.exchange(true)) return EBUSY;
    const bool any = read_device(values);
    library_->busy.store(false);
    return any ? 0 : EIO;
  }

 private:
  bool has(GpuColumn column) const { return device_.unavailable[column].empty(); }

  bool read_device(std::span<double> values) {
    bool any = false;
    double value = 0;
    const Nvml& nvml = *library_->nvml;
    for (const Plain& each : plain) {
      if (!has(each.column) || nvml.sample(each.sample, device_.handle_for(each.sample), value))
        continue;
      values[each.column] = value;
      any = true;
    }
    if (has(gpu_hw_slowdown) &&
        nvml.sample(Nvml::Sample::clock_events, device_.sensors, value) == 0) {
      for (const Cause& cause : causes)
        values[cause.column] = (bits_of(value) & cause.bit) != 0 ? 1 : 0;
      any = true;
    }
    if (has(gpu_processes_own) && belonging_.known()) look_at_processes(values);
    return any;
  }

  void look_at_processes(std::span<double> values) {
    const std::int64_t now = clock_.monotonic_ns();
    if (!seen_ || now - looked_ns_ >= ns_between_looks) {
      std::size_t count = 0;
      own_ = foreign_ = unknown;
      looked_ns_ = now;
      if (library_->nvml->compute_pids(device_.own, pids_, count) == 0) count_processes(count);
    }
    values[gpu_processes_own] = own_;
    values[gpu_processes_foreign] = foreign_;
  }

  // Beside one that is hidden, none of a kind is unknown, and some are those at least.
  void count_processes(std::size_t count) {
    const auto place = [](Belonging::Whose whose) { return static_cast<std::size_t>(whose); };
    std::array<int, 4> of{};
    for (std::size_t i = 0; i < count; ++i) ++of[place(belonging_.whose(pids_[i]))];
    const auto number = [&](Belonging::Whose whose) {
      const int found = of[place(whose)];
      return found == 0 && of[place(Belonging::Whose::hidden)] > 0 ? unknown : found;
    };
    own_ = number(Belonging::Whose::ours);
    foreign_ = number(Belonging::Whose::foreign);
    seen_ = seen_ || own_ > 0;
    if (!seen_ && foreign_ > 0 && belonging_.elsewhere()) own_ = foreign_ = unknown;
  }

  const std::shared_ptr<GpuLibrary::Opened> library_;
  const Known& device_;  // of the library
  Belonging belonging_;
  const campaign::Clock& clock_;
  std::array<std::uint32_t, Nvml::most_pids> pids_{};
  double own_ = unknown, foreign_ = unknown;  // at the last look
  std::int64_t looked_ns_ = 0;
  bool seen_ = false;  // a process of the run
};

// NVML tells numbers of the host's processes. "" where they mean the same to us.
std::string why_no_processes(const Roots& roots) {
  std::array<char, 64> text{};
  const ssize_t size =
      ::readlink((roots.proc + "/self/ns/pid").c_str(), text.data(), text.size() - 1);
  if (size <= 0 || std::string_view(text.data()) == initial_pid_namespace) return "";
  return "the controller has a namespace of process numbers of its own";
}

Found without(Found found, std::string why) {
  found.source.unavailable = std::move(why);
  return found;
}

}  // namespace

std::vector<campaign::TelemetryColumn> gpu_columns_of(const std::string& source) {
  struct About {
    const char* name;
    const char* unit;
    bool counter = false;
  };
  // Millijoules of a counter of 32 bits begin again here; where it has 64, this is never met.
  constexpr double wraps_at = 4294967296.0 / 1000;
  static constexpr std::array<About, gpu_columns> about = {{{"power_w", "W"},
                                                            {"energy_j", "J", true},
                                                            {"temperature_c", "C"},
                                                            {"sm_clock_mhz", "MHz"},
                                                            {"memory_clock_mhz", "MHz"},
                                                            {"utilisation_pct", "%"},
                                                            {"memory_bytes", "B"},
                                                            {"thermal_violation_s", "s", true},
                                                            {"power_violation_s", "s", true},
                                                            {"hw_slowdown", ""},
                                                            {"hw_thermal", ""},
                                                            {"sw_thermal", ""},
                                                            {"hw_power_brake", ""},
                                                            {"sw_power_cap", ""},
                                                            {"processes_own", ""},
                                                            {"processes_foreign", ""}}};
  std::vector<campaign::TelemetryColumn> columns;
  for (const About& each : about) {
    columns.push_back(
        {.name = source + "." + each.name, .unit = each.unit, .counter = each.counter});
    if (each.counter && std::string_view(each.unit) == "J") columns.back().wraps_at = wraps_at;
  }
  return columns;
}

GpuLibrary::GpuLibrary(std::string library)
    : opened_(gpu::begun([name = std::move(library)] { return open_library(name); })) {}

bool GpuLibrary::answered() const {
  return opened_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

Found GpuLibrary::open(const GpuRequest& request) const {
  Found found{.source = {.name = request.source,
                         .kind = "NVML",
                         .unavailable = {},
                         .device = request.device.uuid,
                         .parent = request.device.parent},
              .columns = gpu_columns_of(request.source),
              .sensor = nullptr};
  if (request.device.vendor != gpu::Device::Vendor::nvidia)
    return without(std::move(found), "no sensor reads GPUs of this vendor");
  if (!answered()) return without(std::move(found), "NVML did not answer");
  const std::shared_ptr<Opened> library = opened_.get();
  if (!library->nvml) return without(std::move(found), library->why);
  const auto same = [&](const Known& known) { return known.uuid == request.device.uuid; };
  const auto device = std::ranges::find_if(library->devices, same);
  if (device == library->devices.end()) return without(std::move(found), "NVML does not list it");
  for (std::size_t i = 0; i < gpu_columns; ++i)
    found.columns[i].unavailable = device->unavailable[i];
  const std::string no_processes = why_no_processes(request.roots);
  for (const GpuColumn column : {gpu_processes_own, gpu_processes_foreign})
    if (found.columns[column].unavailable.empty()) found.columns[column].unavailable = no_processes;
  if (hides_processes(request.roots) && found.columns[gpu_processes_foreign].unavailable.empty())
    found.columns[gpu_processes_foreign].unavailable =
        "/proc hides the processes of others (hidepid)";
  GpuRequest asked = request;
  if (!no_processes.empty()) asked.processes = nullptr;
  found.sensor = std::make_unique<GpuSensor>(library, *device, asked);
  return found;
}

}  // namespace controller::telemetry
