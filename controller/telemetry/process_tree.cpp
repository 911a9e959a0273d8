#include "controller/telemetry/process_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "controller/telemetry/kernel_file.hpp"

namespace controller::telemetry {

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t most_processes = 16 * 1024;
// So many processes of the machine are looked at per tick, on average: new ones are found later
// where there are many.
constexpr std::size_t looked_at_per_tick = 128;

struct Process {
  int pid = 0, parent = 0;
};

// Of /proc/<pid>/stat, after the name in brackets.
struct Stat {
  int parent = 0;
  double ticks = 0;  // own and of children that were waited for, user and system
  double pages = 0;
};

std::optional<Stat> stat_of(std::string_view text) {
  const auto name_end = text.rfind(')');
  if (name_end == text.npos || text.size() < name_end + 4) return std::nullopt;
  std::string_view rest = text.substr(name_end + 4);  // past ") S "
  Stat stat;
  constexpr int parent_field = 4, first_time = 14, last_time = 17, rss_field = 24;
  for (int field = parent_field; field <= rss_field; ++field) {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '-')) rest.remove_prefix(1);
    const auto number = take_number(rest);
    if (!number) return std::nullopt;
    if (field == parent_field) stat.parent = static_cast<int>(*number);
    if (field >= first_time && field <= last_time) stat.ticks += static_cast<double>(*number);
    if (field == rss_field) stat.pages = static_cast<double>(*number);
  }
  return stat;
}

class ProcessTree : public Sensor {
 public:
  explicit ProcessTree(const ProcessTreeRequest& request)
      : folder_(::open(request.roots.proc.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        root_(static_cast<int>(request.root)),
        second_(1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK))),
        page_(static_cast<double>(::sysconf(_SC_PAGESIZE))) {
    all_.reserve(most_processes);
    tree_.reserve(most_processes);
  }
  ~ProcessTree() override {
    if (folder_ >= 0) ::close(folder_);
  }
  ProcessTree(const ProcessTree&) = delete;
  ProcessTree& operator=(const ProcessTree&) = delete;
  explicit operator bool() const { return folder_ >= 0; }

  int read(std::span<double> values) override {
    if (skip_ > 0)
      --skip_;
    else
      find_tree();
    std::ranges::fill(values, unknown);
    Sums sums;
    for (const int pid : tree_) add(sums, pid);
    if (sums.processes == 0) return ESRCH;
    // A child that is read after its parent has waited for it would be missing for a moment.
    highest_.cpu = std::max(highest_.cpu, sums.cpu);
    highest_.read = std::max(highest_.read, sums.read);
    highest_.written = std::max(highest_.written, sums.written);
    values[cpu_seconds] = highest_.cpu;
    values[memory_bytes] = sums.memory;
    if (sums.io_known) {
      values[io_read_bytes] = highest_.read;
      values[io_write_bytes] = highest_.written;
    }
    values[pids] = sums.processes;
    return 0;
  }

 private:
  struct Sums {
    double cpu = 0, memory = 0, read = 0, written = 0;
    int processes = 0;
    bool io_known = true;
  };

  // Of a file below /proc/<pid>, in buffer_. "" when it is not there any more.
  std::string_view text(int pid, std::string_view name) {
    std::array<char, 48> path;
    char* at = std::to_chars(path.data(), path.data() + 16, pid).ptr;
    *at++ = '/';
    at = std::copy(name.begin(), name.end(), at);
    *at = '\0';
    const int fd = ::openat(folder_, path.data(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return "";
    const ssize_t size = ::read(fd, buffer_.data(), buffer_.size());
    ::close(fd);
    return {buffer_.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }

  void add(Sums& sums, int pid) {
    const auto stat = stat_of(text(pid, "stat"));
    if (!stat) return;
    ++sums.processes;
    sums.cpu += stat->ticks * second_;
    sums.memory += stat->pages * page_;
    const std::string_view io = text(pid, "io");
    const auto read = number_of(io, "read_bytes:"), written = number_of(io, "write_bytes:");
    sums.io_known = sums.io_known && read && written;
    sums.read += read.value_or(0);
    sums.written += written.value_or(0);
  }

  // Every process of the machine with its parent, then those that lead up to the root.
  void find_tree() {
    all_.clear();
    ::lseek(folder_, 0, SEEK_SET);
    for (;;) {
      const long size = ::syscall(SYS_getdents64, folder_, entries_.data(), entries_.size());
      if (size <= 0) break;
      for (long at = 0; at < size;) {
        const char* entry = entries_.data() + at;
        unsigned short length = 0;
        std::memcpy(&length, entry + offsetof(dirent64, d_reclen), sizeof length);
        look_at(entry + offsetof(dirent64, d_name));
        at += length;
      }
    }
    skip_ = all_.size() / looked_at_per_tick;
    tree_.clear();
    tree_.push_back(root_);
    for (std::size_t i = 0; i < tree_.size(); ++i)
      for (const Process& process : all_)
        if (process.parent == tree_[i] && process.pid != root_ && tree_.size() < most_processes)
          tree_.push_back(process.pid);
  }

  void look_at(std::string_view name) {
    Process process;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), process.pid);
    if (error != std::errc() || end != name.data() + name.size()) return;
    const auto stat = stat_of(text(process.pid, "stat"));
    if (!stat || all_.size() == most_processes) return;
    process.parent = stat->parent;
    all_.push_back(process);
  }

  int folder_;
  int root_;
  double second_, page_;
  std::size_t skip_ = 0;  // ticks until the tree is looked for again
  std::vector<Process> all_;
  std::vector<int> tree_;
  Sums highest_;
  std::array<char, 4096> buffer_;
  std::array<char, 16 * 1024> entries_;
};

}  // namespace

Found open_process_tree(const ProcessTreeRequest& request) {
  Found found{.source = {.name = request.source, .kind = "/proc sums"},
              .columns = columns_of(request.source, Counts::from_zero),
              .sensor = nullptr};
  auto tree = std::make_unique<ProcessTree>(request);
  if (*tree)
    found.sensor = std::move(tree);
  else
    found.source.unavailable = request.roots.proc + " cannot be read: " + std::strerror(errno);
  return found;
}

}  // namespace controller::telemetry
