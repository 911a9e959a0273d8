// A service on a thread of its own with a loop of its own. A stop reaches it twice: the token of
// its context turns at once, for code that blocks, and what it awaits on its loop is woken. A kill
// cancels what it awaits; a thread that blocks and does not look cannot be killed, is told as lost,
// and is left to itself until the program ends.
#pragma once

#include "controller/supervise/executor.hpp"
#include "controller/supervise/service.hpp"

namespace boost::asio {
class io_context;
}

namespace controller::supervise {

class ThreadExecutor : public Executor {
 public:
  // `home` is the loop of the supervisor.
  ThreadExecutor(boost::asio::io_context& home, ServiceBody body, Ready ready = Ready::at_once);
  ~ThreadExecutor() override;
  void start(Report report) override;
  void stop() override;
  void kill() override;

 private:
  struct Run;
  struct Link;
  static void live(const std::shared_ptr<Run>& run);
  boost::asio::io_context& home_;
  ServiceBody body_;
  Ready ready_;
  std::shared_ptr<Run> run_;  // also held by its thread, which may outlive a lost service
};

}  // namespace controller::supervise
