// A service that is a coroutine of ours, and what it finds while it runs. The same body runs on
// the controller's loop, on a thread of its own, or in a child process.
//
//   Task<> beat(ServiceContext& context) {
//     while (!context.stopping()) {
//       ...
//       co_await context.wait(1);
//     }
//   }
//
// Returning is a good end, an exception a crash with its text as the reason.
#pragma once

#include <functional>
#include <stop_token>

#include "controller/wake.hpp"

namespace controller::supervise {

class ServiceContext {
 public:
  explicit ServiceContext(std::function<void()> on_ready) : on_ready_(std::move(on_ready)) {}

  // May be asked from any thread; the token is for code that blocks.
  bool stopping() const { return source_.stop_requested(); }
  std::stop_token token() const { return source_.get_token(); }

  // On the service's own loop only. Until a stop is asked for, or so many seconds.
  Task<> wait(double seconds);
  // True: the task has ended. False: a stop was asked for, and the task was cancelled.
  Task<bool> unless_stopped(Task<> task);
  // It serves now. Counts where the executor was made with Ready::when_told.
  void ready() { on_ready_(); }

  // For executors: the first from any thread, the second on the service's loop.
  void request_stop() { source_.request_stop(); }
  void wake() { wake_.notify(); }

 private:
  std::function<void()> on_ready_;
  std::stop_source source_;
  Wake wake_;
};

// Is called anew for each incarnation; must outlive none of them: executors keep a copy.
using ServiceBody = std::function<Task<>(ServiceContext&)>;

// When a service counts as running: as soon as its body was begun, or when it says so.
enum class Ready { at_once, when_told };

// Runs the body to its end: "" = a good one, else what it threw.
Task<std::string> failure_of(const ServiceBody& body, ServiceContext& context);

}  // namespace controller::supervise
