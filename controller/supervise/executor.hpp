// How a service is executed: the seam between what a supervisor decides and what then happens. One
// executor carries out one service, one incarnation at a time. All calls and all reports come on
// the supervisor's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "controller/supervise/policy.hpp"
#include "controller/wake.hpp"

namespace controller::supervise {

// How a service ended.
struct Exit {
  bool well = false;  // by itself and without an error
  std::string how;    // "exit code 3", "the stream was cut"
};

// What an executor tells of one incarnation. May be called from within start(); calls after the
// first `ended` are ignored.
struct Report {
  std::function<void()> running;  // it is started and serves
  std::function<void(Exit)> ended;
};

// start, stop and kill return at once. The end of a service is told when it is certain (a child
// was reaped, an engine said so), never because a service said that it will end.
class Executor {
 public:
  virtual ~Executor() = default;          // tells nothing more
  virtual void start(Report report) = 0;  // throws std::exception when it cannot
  virtual void stop() = 0;                // asks the service to end
  virtual void kill() = 0;                // makes it end
  // Until nothing of it is left behind; called once, after the last incarnation has ended. The
  // supervisor bounds it.
  virtual Task<> close() { co_return; }
};

struct Service {
  ServicePolicy policy;
  std::unique_ptr<Executor> executor;
};

}  // namespace controller::supervise
