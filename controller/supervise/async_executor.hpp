// A service as a coroutine on the controller's own loop. A stop is asked for through its context;
// a kill cancels what it waits for. One that neither looks nor waits blocks the whole controller:
// such work belongs on a thread.
#pragma once

#include "controller/supervise/executor.hpp"
#include "controller/supervise/service.hpp"

namespace boost::asio {
class io_context;
}

namespace controller::supervise {

class AsyncExecutor : public Executor {
 public:
  AsyncExecutor(boost::asio::io_context& io, ServiceBody body, Ready ready = Ready::at_once);
  ~AsyncExecutor() override;
  void start(Report report) override;
  void stop() override;
  void kill() override;

 private:
  struct Run;
  boost::asio::io_context& io_;
  ServiceBody body_;
  Ready ready_;
  std::shared_ptr<Run> run_;  // also held by its coroutine, which may outlive a lost service
};

}  // namespace controller::supervise
