// A service as a child process in a session of its own. A stop is SIGTERM to its process group, a
// kill is SIGKILL; what its leader leaves in the group is killed when the leader has ended. Its end
// is told when it was reaped. A good end is exit code 0.
#pragma once

#include "controller/process.hpp"
#include "controller/supervise/executor.hpp"

namespace controller::supervise {

class ProcessExecutor : public Executor {
 public:
  ProcessExecutor(boost::asio::io_context& io, Command command)
      : io_(io), command_(std::move(command)) {}
  void start(Report report) override;
  void stop() override;
  void kill() override;
  std::int64_t pid() const { return child_ ? child_->pid() : 0; }

 private:
  boost::asio::io_context& io_;
  Command command_;
  std::unique_ptr<Child> child_;
};

Exit exit_of(int exit_code);  // "exit code 3", "signal 9"

}  // namespace controller::supervise
