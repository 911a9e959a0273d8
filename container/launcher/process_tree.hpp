#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace container::launcher {

struct Process {
  pid_t pid = 0, parent = 0, session = 0;
  char state = 0;  // as in /proc/<pid>/stat
  std::uint64_t started =
      0;  // clock ticks after boot; tells a process from a later one with its pid
};

// False: no such process, or /proc does not show it.
bool read_process(pid_t pid, Process& process);

// All that /proc shows.
std::vector<Process> all_processes();
// What it was started with, NUL after each; empty where that is not ours to see.
std::string read_environment(pid_t pid);
// To this process and to no later one with its pid.
void send_to(const Process& target, int signal);

// Every living process whose chain of parents leads to `root`, whatever group or session it is in.
// Zombies are left out. A subreaper's orphans are its children, so nobody gets out of the chain.
std::vector<Process> descendants(pid_t root);

// Kills a set of processes that changes meanwhile, and remembers which.
class Killer {
 public:
  using Find = std::function<std::vector<Process>()>;
  explicit Killer(Find find) : find_(std::move(find)) {}

  // Stops all of them, so that none forks while the next is looked up, then kills them. Those that
  // are left afterwards (made by a process that was not seen yet) are for the next round.
  void round();
  int killed_except(pid_t pid) const;
  void add(const Killer& other);  // what that one has killed counts here too

 private:
  Find find_;
  std::vector<Process> killed_;
};

}  // namespace container::launcher
