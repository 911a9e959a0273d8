// A service in a child process of this program with a loop of its own (worker.hpp). A stop is a
// message, a kill SIGKILL; its end is told when it was reaped, whatever it said before.
#pragma once

#include "controller/process.hpp"
#include "controller/supervise/executor.hpp"

namespace controller::supervise {

struct WorkerParts {
  std::string service;  // a name of worker_services()
  std::map<std::string, std::string> options;
  std::string log;                                          // its standard error; "" = dropped
  std::function<void(const std::string& text)> on_message;  // may be empty
  std::vector<std::string> argv = {};                       // empty = this very program
};

class AsyncProcessExecutor : public Executor {
 public:
  AsyncProcessExecutor(boost::asio::io_context& io, WorkerParts parts)
      : io_(io), parts_(std::move(parts)) {}
  void start(Report report) override;
  void stop() override;
  void kill() override;
  std::int64_t pid() const { return child_ ? child_->pid() : 0; }

 private:
  void on_line(const std::string& line);
  void on_exit(int exit_code);
  boost::asio::io_context& io_;
  WorkerParts parts_;
  Report report_;
  std::string failure_;  // what the child said of its end
  std::unique_ptr<Child> child_;
};

}  // namespace controller::supervise
