// Child processes of the controller: hooks, and local payloads under the launcher. The one file
// with Boost.Process.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "controller/wake.hpp"

namespace boost::asio {
class io_context;
}

namespace controller {

struct Command {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;  // over the controller's own
  std::string cwd;
  std::string log;  // standard output and error are appended here; "" = /dev/null
};

struct ProcessResult {
  int exit_code = 0;  // 128 + signal when killed; 127 when it could not be started
  bool timed_out = false;
  std::string error;  // why it could not be started
};

// Runs to its end, in a process group of its own; after `timeout` seconds, or when `cancelled` says
// so at a wake, the group is killed.
struct RunLimits {
  double timeout = 600;
  Wake* wake = nullptr;
  std::function<bool()> cancelled;
};
Task<ProcessResult> run_process(const Command& command, const RunLimits& limits);

// A process in a session of its own that waits at a gate: it goes on when open() was called, and
// ends by itself when this object (or this controller) goes away before that.
class GatedProcess {
 public:
  GatedProcess() = default;
  GatedProcess(GatedProcess&& other) noexcept;
  GatedProcess& operator=(GatedProcess&& other) noexcept;
  ~GatedProcess();
  // Throws std::system_error when it cannot be started.
  static Task<GatedProcess> spawn(const Command& command);
  std::int64_t pid() const { return pid_; }
  void open();

 private:
  std::int64_t pid_ = 0;
  int gate_ = -1;
};

// A child that stays: it is watched, signalled and, where that is asked for, spoken to in lines.
// In a session of its own; when it has ended, what is left of its process group is killed.
class Child {
 public:
  virtual ~Child() = default;  // kills the group of one that still runs; tells nothing more
  virtual std::int64_t pid() const = 0;
  virtual void signal(int number) = 0;  // to its process group, unless it has ended
  // False: it has ended, or takes nothing more. Never blocks.
  virtual bool send(const std::string& line) = 0;
};
struct ChildParts {
  Command command;
  std::function<void(int exit_code)> on_exit;  // once, after it was reaped; 128 + signal
  // Given: its standard input and output are a socket to us, and this hears each line of it.
  std::function<void(const std::string& line)> on_line = {};
};
// Throws std::system_error when it cannot be started.
std::unique_ptr<Child> spawn_child(boost::asio::io_context& io, ChildParts parts);

// Field 22 of /proc/PID/stat: with the boot id it names a process for good. 0 = no such process.
std::uint64_t process_start_time(std::int64_t pid);
bool process_alive(std::int64_t pid, std::uint64_t start_time);  // zombies are not alive
// Calls `on_exit` once when the process (a child or not) has ended. Destroying it cancels.
class ProcessWatch {
 public:
  virtual ~ProcessWatch() = default;
};
Task<std::unique_ptr<ProcessWatch>> watch_process(std::int64_t pid, std::function<void()> on_exit);
// Every descendant of `pid` (not itself) gets SIGKILL.
void kill_descendants(std::int64_t pid);

}  // namespace controller
