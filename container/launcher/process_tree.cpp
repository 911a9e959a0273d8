#include "container/launcher/process_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace container::launcher {
namespace {

constexpr int stop_rounds = 20;

bool same(const Process& a, const Process& b) { return a.pid == b.pid && a.started == b.started; }

bool has(const std::vector<Process>& list, const Process& process) {
  return std::any_of(list.begin(), list.end(),
                     [&](const Process& other) { return same(other, process); });
}

}  // namespace

std::vector<Process> all_processes() {
  std::vector<Process> result;
  DIR* folder = opendir("/proc");
  if (!folder) return result;
  while (const dirent* entry = readdir(folder)) {
    Process process;
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (read_process(static_cast<pid_t>(atol(entry->d_name)), process)) result.push_back(process);
  }
  closedir(folder);
  return result;
}

void send_to(const Process& target, int signal) {
  const auto fd = static_cast<int>(syscall(SYS_pidfd_open, target.pid, 0));
  if (fd < 0 && errno == ESRCH) return;
  Process now;
  const bool still = read_process(target.pid, now) && same(now, target);
  if (still && (fd < 0 || syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0) != 0))
    kill(target.pid, signal);
  if (fd >= 0) close(fd);
}

bool read_process(pid_t pid, Process& process) {
  char path[40], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(pid));
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return false;
  text[n] = 0;
  const char* after_name = strrchr(text, ')');
  process.pid = pid;
  return after_name &&
         sscanf(after_name + 1,
                " %c %d %*s %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                "%*s %*s %*s %" SCNu64,
                &process.state, &process.parent, &process.session, &process.started) == 4;
}

std::string read_environment(pid_t pid) {
  char path[40], piece[4096];
  snprintf(path, sizeof path, "/proc/%d/environ", static_cast<int>(pid));
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  std::string text;
  if (fd < 0) return text;
  for (ssize_t n = 0; (n = read(fd, piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<std::size_t>(n));
  close(fd);
  return text;
}

std::vector<Process> descendants(pid_t root) {
  std::vector<Process> rest = all_processes(), found;
  std::vector<pid_t> parents{root};
  while (!parents.empty()) {
    const pid_t parent = parents.back();
    parents.pop_back();
    for (const Process& process : rest) {
      if (process.parent != parent || process.pid == root) continue;
      parents.push_back(process.pid);
      if (process.state != 'Z' && process.state != 'X') found.push_back(process);
    }
  }
  return found;
}

void Killer::round() {
  std::vector<Process> targets;
  for (int i = 0; i < stop_rounds; ++i) {
    bool fresh = false;
    for (const Process& process : find_()) {
      if (has(targets, process)) continue;
      send_to(process, SIGSTOP);
      targets.push_back(process);
      fresh = true;
    }
    if (!fresh) break;
  }
  for (const Process& process : targets) {
    send_to(process, SIGKILL);
    if (!has(killed_, process)) killed_.push_back(process);
  }
}

void Killer::add(const Killer& other) {
  for (const Process& process : other.killed_)
    if (!has(killed_, process)) killed_.push_back(process);
}

int Killer::killed_except(pid_t pid) const {
  return static_cast<int>(std::count_if(
      killed_.begin(), killed_.end(), [&](const Process& process) { return process.pid != pid; }));
}

}  // namespace container::launcher
