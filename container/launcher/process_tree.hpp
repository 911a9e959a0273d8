#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace container::launcher {

struct Process {
  pid_t pid = 0, parent = 0;
  char state = 0;  // as in /proc/<pid>/stat
  std::uint64_t started =
      0;  // clock ticks after boot; tells a process from a later one with its pid
};

// False: no such process, or /proc does not show it.
bool read_process(pid_t pid, Process& process);

// Every living process whose chain of parents leads to `root`, whatever group or session it is in.
// Zombies are left out. A subreaper's orphans are its children, so nobody gets out of the chain.
std::vector<Process> descendants(pid_t root);

// Kills descendants of this process, and remembers which.
class Killer {
 public:
  // Stops all of them, so that none forks while the next is looked up, then kills them. Those that
  // are left afterwards (made by a process that was not seen yet) are for the next round.
  void round();
  int killed_except(pid_t pid) const;

 private:
  std::vector<Process> killed_;
};

}  // namespace container::launcher
