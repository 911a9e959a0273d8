#include "controller/telemetry/cgroup.hpp"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

#include "controller/telemetry/kernel_file.hpp"
#include "controller/telemetry/net_counters.hpp"

namespace controller::telemetry {

namespace {

constexpr char id_mark[] = "%ID%";
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  return at == text.npos ? text : text.replace(at, from.size(), to);
}

CgroupPaths replaced(const CgroupPaths& paths, const std::string& from, const std::string& to) {
  CgroupPaths out;
  for (const auto& [controller, path] : paths) out[controller] = replaced(path, from, to);
  return out;
}

std::string root_of(const Roots& roots) { return roots.sys + "/fs/cgroup"; }

bool is_folder(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// Version 1 gives each controller a mount of its own name, or of several names that are linked.
std::string folder_of(const Roots& roots, const CgroupPaths& paths, const std::string& controller) {
  const auto found = paths.find(controller);
  if (found == paths.end()) return "";
  return root_of(roots) + (controller.empty() ? "" : "/" + controller) + found->second;
}

// Kernel with one hierarchy: its controllers are listed in its root.
bool is_unified(const Roots& roots) {
  struct stat status{};
  return ::stat((root_of(roots) + "/cgroup.controllers").c_str(), &status) == 0;
}

double or_unknown(const std::optional<double>& value, double scale = 1) {
  return value ? *value * scale : unknown;
}

class Reading {
 public:
  explicit Reading(std::span<char> buffer) : buffer_(buffer) {}
  // "" where it cannot be read; why is kept.
  std::string_view text(const KernelFile& file) {
    if (!file) return "";
    const auto text = file.read(buffer_);
    if (!text) why_ = errno;
    return text.value_or("");
  }
  double number(const KernelFile& file) {
    if (!file) return unknown;
    const auto value = read_number(file);
    if (!value) why_ = errno;
    return value.value_or(unknown);
  }
  int why() const { return why_; }

 private:
  std::span<char> buffer_;
  int why_ = 0;
};

// memory in use without the page cache that can be dropped at once, as `docker stats` shows it
double working_set(double usage, const std::optional<double>& inactive) {
  return inactive && *inactive < usage ? usage - *inactive : usage;
}

void add_network(std::span<double> values, const NetCounters::Bytes& bytes) {
  values[net_rx_bytes] = bytes.received;
  values[net_tx_bytes] = bytes.sent;
}

// Lines "8:0 rbytes=1 wbytes=2 ..." of every device.
std::array<double, 2> sum_of_v2_io(std::string_view text) {
  std::array<double, 2> sums = {0, 0};
  const std::array<std::string_view, 2> keys = {" rbytes=", " wbytes="};
  for (std::size_t k = 0; k < keys.size(); ++k)
    for (auto at = text.find(keys[k]); at != text.npos; at = text.find(keys[k], at + 1)) {
      std::string_view rest = text.substr(at + keys[k].size());
      sums[k] += static_cast<double>(take_number(rest).value_or(0));
    }
  return sums;
}

// Lines "8:0 Read 1". Without a line of a device the kernel does not count for this group.
std::array<double, 2> sum_of_v1_io(std::string_view text) {
  std::array<double, 2> sums = {unknown, unknown};
  const std::array<std::string_view, 2> keys = {" Read ", " Write "};
  for (std::size_t k = 0; k < keys.size(); ++k)
    for (auto at = text.find(keys[k]); at != text.npos; at = text.find(keys[k], at + 1)) {
      std::string_view rest = text.substr(at + keys[k].size());
      const auto bytes = static_cast<double>(take_number(rest).value_or(0));
      sums[k] = std::isnan(sums[k]) ? bytes : sums[k] + bytes;
    }
  return sums;
}

class UnifiedCgroup : public Sensor {
 public:
  UnifiedCgroup(const Roots& roots, const std::string& folder)
      : cpu_(folder + "/cpu.stat"),
        memory_(folder + "/memory.current"),
        memory_max_(folder + "/memory.peak"),
        memory_stat_(folder + "/memory.stat"),
        io_(folder + "/io.stat"),
        pids_(folder + "/pids.current"),
        net_(roots, folder + "/cgroup.procs") {}
  explicit operator bool() const { return static_cast<bool>(cpu_); }

  int read(std::span<double> values) override {
    std::array<char, 8192> buffer;
    Reading from(buffer);
    const std::string_view cpu = from.text(cpu_);
    if (cpu.empty()) return from.why() ? from.why() : ENODATA;
    values[cpu_seconds] = or_unknown(number_of(cpu, "usage_usec"), 1e-6);
    values[cpu_throttled_seconds] = or_unknown(number_of(cpu, "throttled_usec"), 1e-6);
    const double usage = from.number(memory_);
    values[memory_bytes] = working_set(usage, number_of(from.text(memory_stat_), "inactive_file"));
    values[memory_max_bytes] = from.number(memory_max_);
    const std::string_view io = from.text(io_);
    const auto sums = io_ ? sum_of_v2_io(io) : std::array<double, 2>{unknown, unknown};
    values[io_read_bytes] = sums[0];
    values[io_write_bytes] = sums[1];
    values[pids] = from.number(pids_);
    add_network(values, net_.read(buffer));
    return 0;
  }

 private:
  KernelFile cpu_, memory_, memory_max_, memory_stat_, io_, pids_;
  NetCounters net_;
};

class SplitCgroup : public Sensor {
 public:
  SplitCgroup(const Roots& roots, const CgroupPaths& paths)
      : cpu_(folder_of(roots, paths, "cpuacct") + "/cpuacct.usage"),
        quota_(folder_of(roots, paths, "cpu") + "/cpu.stat"),
        memory_(folder_of(roots, paths, "memory") + "/memory.usage_in_bytes"),
        memory_max_(folder_of(roots, paths, "memory") + "/memory.max_usage_in_bytes"),
        memory_stat_(folder_of(roots, paths, "memory") + "/memory.stat"),
        io_(folder_of(roots, paths, "blkio") + "/blkio.throttle.io_service_bytes"),
        pids_(folder_of(roots, paths, "pids") + "/pids.current"),
        net_(roots, folder_of(roots, paths, "cpuacct") + "/cgroup.procs") {}
  explicit operator bool() const { return static_cast<bool>(cpu_); }

  int read(std::span<double> values) override {
    std::array<char, 8192> buffer;
    Reading from(buffer);
    values[cpu_seconds] = from.number(cpu_) * 1e-9;
    if (std::isnan(values[cpu_seconds])) return from.why() ? from.why() : ENODATA;
    values[cpu_throttled_seconds] =
        or_unknown(number_of(from.text(quota_), "throttled_time"), 1e-9);
    const double usage = from.number(memory_);
    values[memory_bytes] =
        working_set(usage, number_of(from.text(memory_stat_), "total_inactive_file"));
    values[memory_max_bytes] = from.number(memory_max_);
    const auto sums = sum_of_v1_io(from.text(io_));
    values[io_read_bytes] = sums[0];
    values[io_write_bytes] = sums[1];
    values[pids] = from.number(pids_);
    add_network(values, net_.read(buffer));
    return 0;
  }

 private:
  KernelFile cpu_, quota_, memory_, memory_max_, memory_stat_, io_, pids_;
  NetCounters net_;
};

template <class Group, class... Arguments>
void open_as(Found& found, Arguments&&... arguments) {
  auto group = std::make_unique<Group>(std::forward<Arguments>(arguments)...);
  if (*group)
    found.sensor = std::move(group);
  else
    found.source.unavailable =
        std::string("its control group cannot be read: ") + std::strerror(errno ? errno : ENOENT);
}

}  // namespace

CgroupPaths cgroup_paths(const Roots& roots, std::int64_t pid) {
  CgroupPaths paths;
  const std::string text = whole_text(roots.proc + "/" + std::to_string(pid) + "/cgroup");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    std::string names = line.substr(first + 1, second - first - 1) + ",";
    for (std::size_t comma = 0; (comma = names.find(',')) != names.npos;) {
      paths[names.substr(0, comma)] = line.substr(second + 1);
      names.erase(0, comma + 1);
    }
  }
  return paths;
}

bool CgroupFinder::there(const CgroupPaths& paths) const {
  return is_folder(folder_of(roots_, paths, is_unified(roots_) ? "" : "cpuacct"));
}

std::optional<CgroupPaths> CgroupFinder::known(const std::string& container_id) const {
  if (pattern_.empty()) return std::nullopt;
  CgroupPaths paths = replaced(pattern_, id_mark, container_id);
  if (!there(paths)) return std::nullopt;
  return paths;
}

std::optional<CgroupPaths> CgroupFinder::by_process(const std::string& container_id,
                                                    std::int64_t pid) {
  CgroupPaths paths = cgroup_paths(roots_, pid);
  const auto main = paths.find(is_unified(roots_) ? "" : "cpuacct");
  if (main == paths.end() || main->second.find(container_id) == std::string::npos)
    return std::nullopt;
  if (!there(paths)) return std::nullopt;
  pattern_ = replaced(paths, container_id, id_mark);
  return paths;
}

Found open_cgroup(const CgroupRequest& request) {
  const bool unified = is_unified(request.roots);
  Found found{.source = {.name = request.source, .kind = unified ? "cgroup v2" : "cgroup v1"},
              .columns = columns_of(request.source, request.counts),
              .sensor = nullptr};
  if (unified)
    open_as<UnifiedCgroup>(found, request.roots, folder_of(request.roots, request.paths, ""));
  else
    open_as<SplitCgroup>(found, request.roots, request.paths);
  return found;
}

}  // namespace controller::telemetry
