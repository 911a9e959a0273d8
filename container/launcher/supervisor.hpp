#pragma once

#include <optional>

#include "container/launcher/log_pump.hpp"
#include "container/launcher/options.hpp"
#include "container/launcher/process_tree.hpp"
#include "container/launcher/records.hpp"
#include "container/launcher/window.hpp"

namespace container::launcher {

class OutFolder;

// One payload from its start to the end of its last descendant: prepare, start, wait, settle, in
// this order. Functions that return a string return what went wrong, empty for nothing.
class Supervisor {
 public:
  // Both outlive the supervisor.
  Supervisor(const Options& options, OutFolder& folder);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Everything that can fail before the attempt is claimed; touches no file. Blocks the signals it
  // forwards.
  std::string prepare();
  // Opens the logs and starts the payload. A command that cannot be executed is an outcome, not a
  // failure.
  std::string start();
  // Until the payload has ended: drains, forwards, enforces the grace.
  void wait();
  // Kills what is left (for at most 30 s), completes the logs; afterwards no descendant runs.
  void settle();

  const Outcome& outcome() const { return outcome_; }
  // The last bytes of both streams to the launcher's own; a reader that does not read for 5 s loses
  // them.
  void echo() const;

 private:
  enum class Children { some, none };
  std::string make_stream(std::optional<LogPump>& pump, int& write_end);
  void open_log(LogPump& pump, const char* name);
  void on_event(int fd);
  void drain_once(LogPump& pump, WindowMarks* marks);
  void drain_rest(LogPump& pump, WindowMarks* marks);
  void complete(LogPump& pump, const char* name, Outcome::Stream& stream);
  void on_signals();
  void stop(const char* reason, int signal);
  void forward(int signal);
  void set_timer(std::int64_t nanoseconds);
  void end_grace();
  void take_exec_report();
  Children reap();
  void take_status(int status);

  const Options& options_;
  OutFolder& folder_;
  Killer killer_;  // of all descendants
  WindowMarks marks_;
  std::optional<LogPump> out_, err_;
  int out_end_ = -1, err_end_ = -1;  // the payload's ends, until it is started
  int epoll_ = -1, signals_ = -1, timer_ = -1, followed_ = -1;
  pid_t payload_ = -1;
  int exec_report_ = -1;  // until it has been read
  bool ended_ = false;
  Outcome outcome_;
};

}  // namespace container::launcher
