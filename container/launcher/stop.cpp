#include "container/launcher/stop.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "container/launcher/clocks.hpp"
#include "container/launcher/options.hpp"
#include "container/launcher/out_folder.hpp"
#include "container/launcher/process_tree.hpp"
#include "container/launcher/records.hpp"

namespace container::launcher {
namespace {

constexpr std::int64_t second = 1'000'000'000;
// What the launcher itself needs at most to settle after a KILL, and a little.
constexpr std::int64_t launcher_bound = 35 * second, left_bound = 10 * second;
constexpr int pause_ms = 20;

class Launched {
 public:
  explicit Launched(const Begun& begun) : begun_(begun) {}
  ~Launched() {
    if (fd_ >= 0) close(fd_);
  }
  Launched(const Launched&) = delete;
  Launched& operator=(const Launched&) = delete;

  // Holds on to it, so that its id cannot pass to another process unseen.
  bool find() {
    if (begun_.pid <= 0 || begun_.boot != boot_id()) return false;
    fd_ = static_cast<int>(syscall(SYS_pidfd_open, begun_.pid, 0));
    return lives();
  }

  bool lives() const {
    Process now;
    return read_process(begun_.pid, now) && now.started == begun_.started && now.state != 'Z' &&
           now.state != 'X';
  }

  void send(int signal) const {
    send_to(Process{.pid = begun_.pid, .started = begun_.started}, signal);
  }

  // True: it has ended, before `bound` on the monotonic clock.
  bool ends_before(std::int64_t bound) const {
    while (lives()) {
      const std::int64_t left = (bound - monotonic_ns()) / 1'000'000;
      if (left < 0) return false;
      pollfd target{.fd = fd_, .events = POLLIN, .revents = 0};
      const int most = fd_ < 0 ? pause_ms : 1000;
      poll(&target, fd_ < 0 ? 0 : 1, static_cast<int>(std::clamp<std::int64_t>(left, 1, most)));
    }
    return true;
  }

 private:
  const Begun& begun_;
  int fd_ = -1;
};

bool carries(pid_t pid, const std::string& mark) {
  const std::string text = read_environment(pid);
  const std::string entry = mark + std::string(1, '\0');
  return text.starts_with(entry) || text.find(std::string(1, '\0') + entry) != std::string::npos;
}

std::vector<Process> left_of(const Begun& begun) {
  if (begun.pid <= 0 || begun.boot != boot_id()) return {};
  const std::string mark = mark_of(begun);
  std::vector<Process> found;
  const auto add = [&found](const Process& process) {
    const bool dead = process.state == 'Z' || process.state == 'X';
    const bool known = std::any_of(found.begin(), found.end(),
                                   [&](const Process& other) { return other.pid == process.pid; });
    if (!dead && !known && process.pid != getpid()) found.push_back(process);
  };
  for (const Process& process : all_processes()) {
    const bool ours = process.started >= begun.started &&
                      (process.session == begun.pid || carries(process.pid, mark));
    if (!ours) continue;
    add(process);
    for (const Process& below : descendants(process.pid)) add(below);
  }
  return found;
}

void end_launcher(const Launched& launched, const Begun& begun, const StopOptions& options,
                  Killer& killer) {
  launched.send(SIGTERM);
  if (launched.ends_before(monotonic_ns() + options.grace_ns)) return;
  const std::int64_t bound = monotonic_ns() + launcher_bound;
  Killer below([&begun] { return descendants(begun.pid); });
  do below.round();
  while (!launched.ends_before(monotonic_ns() + second / 10) && monotonic_ns() < bound);
  killer.add(below);
  if (launched.lives()) launched.send(SIGKILL);
}

// Reads begun; makes it where it is missing, so that a launcher that is still on its way refuses.
std::string read_or_fence(OutFolder& folder, const StopOptions& options,
                          std::optional<Begun>& begun) {
  for (int tries = 0; tries < 100; ++tries) {
    const auto text = folder.read("begun");
    Begun read_back;
    if (text && read_begun(*text, read_back)) {
      begun = read_back;
      return "";
    }
    if (text) {
      poll(nullptr, 0, pause_ms);  // without hard links it is empty for a moment
      continue;
    }
    if (options.what == StopOptions::What::look) return "";
    const auto claim = folder.claim("begun", fence_json());
    if (claim == OutFolder::Claim::created) return "";
    if (claim == OutFolder::Claim::failed) return "cannot write begun: " + folder.error();
  }
  return "begun cannot be read";
}

}  // namespace

StopReport stop_launched(const StopOptions& options) {
  StopReport report;
  OutFolder folder;
  std::optional<Begun> begun;
  report.error = folder.open(options.out);
  if (report.error.empty()) report.error = read_or_fence(folder, options, begun);
  if (!report.error.empty()) return report;
  if (!begun || begun->pid == 0) {
    report.state = StopReport::State::none;
    return report;
  }
  Launched launched(*begun);
  const bool lives = launched.find();
  if (options.what != StopOptions::What::stop) {
    const bool something = lives || !left_of(*begun).empty();
    report.state = something ? StopReport::State::running : StopReport::State::gone;
    return report;
  }
  Killer killer([&begun] { return left_of(*begun); });
  if (lives) end_launcher(launched, *begun, options, killer);
  const std::int64_t bound = monotonic_ns() + left_bound;
  auto left = left_of(*begun);
  for (; !left.empty() && monotonic_ns() < bound; left = left_of(*begun)) {
    killer.round();
    poll(nullptr, 0, pause_ms);
  }
  report.killed = killer.killed_except(begun->pid);
  report.left = static_cast<int>(left.size()) + (launched.lives() ? 1 : 0);
  const bool something = lives || report.killed > 0;
  report.state = report.left > 0 ? StopReport::State::left
                 : something     ? StopReport::State::stopped
                                 : StopReport::State::gone;
  return report;
}

std::string report_json(const StopReport& report) {
  static constexpr const char* names[] = {"none", "gone", "running", "stopped", "left"};
  return std::string("{\"v\":1,\"state\":\"") + names[static_cast<int>(report.state)] +
         "\",\"killed\":" + std::to_string(report.killed) +
         ",\"left\":" + std::to_string(report.left) + "}\n";
}

}  // namespace container::launcher
