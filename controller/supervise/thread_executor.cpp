#include "controller/supervise/thread_executor.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <optional>
#include <thread>

namespace controller::supervise {

namespace asio = boost::asio;

// The way home. Once cut, nothing is sent any more: the home loop may be gone.
struct ThreadExecutor::Link {
  explicit Link(asio::io_context& io) : home(&io), guard(io.get_executor()) {}

  void send(std::function<void()> what) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (home) asio::post(*home, std::move(what));
  }
  void cut() {
    const std::lock_guard<std::mutex> lock(mutex);
    home = nullptr;
    guard.reset();
  }

  std::mutex mutex;
  asio::io_context* home;
  asio::executor_work_guard<asio::io_context::executor_type> guard;
};

// Made and destroyed at home or by a lost thread; `report` and `thread` are touched at home only.
struct ThreadExecutor::Run {
  Run(asio::io_context& home, ServiceBody its_body, Report its_report)
      : link(std::make_shared<Link>(home)),
        body(std::move(its_body)),
        report(std::move(its_report)),
        context([this] { say_running(); }) {}

  void say_running() {
    link->send([this, there = at_home_still] {
      if (there.lock() && report.running) report.running();
    });
  }

  std::shared_ptr<Link> link;
  ServiceBody body;
  Report report;
  std::thread thread;
  std::shared_ptr<bool> at_home = std::make_shared<bool>(true);
  const std::weak_ptr<bool> at_home_still = at_home;
  asio::io_context io;
  ServiceContext context;
  asio::cancellation_signal cancel;
};

ThreadExecutor::ThreadExecutor(asio::io_context& home, ServiceBody body, Ready ready)
    : home_(home), body_(std::move(body)), ready_(ready) {}

ThreadExecutor::~ThreadExecutor() {
  if (!run_) return;
  run_->report = {};
  try {
    if (run_->thread.joinable()) {
      kill();
      run_->thread.detach();
    }
    run_->at_home.reset();
    run_->link->cut();
  } catch (const std::exception&) {
    // A thread that could not be told goes on by itself; what it says reaches nobody.
  }
}

// The thread's whole life.
void ThreadExecutor::live(const std::shared_ptr<Run>& run) {
  std::string failure;
  asio::co_spawn(
      run->io, failure_of(run->body, run->context),
      asio::bind_cancellation_slot(run->cancel.slot(),
                                   [&](const std::exception_ptr& error, const std::string& text) {
                                     failure = error ? "cancelled" : text;
                                   }));
  try {
    run->io.run();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  run->link->send([run, failure] {
    if (!run->thread.joinable()) return;
    run->thread.join();
    run->link->cut();
    if (run->report.ended)
      run->report.ended({.well = failure.empty(), .how = failure.empty() ? "returned" : failure});
  });
}

void ThreadExecutor::start(Report report) {
  run_ = std::make_shared<Run>(home_, body_, std::move(report));
  run_->thread = std::thread([run = run_] { live(run); });
  if (ready_ == Ready::at_once) run_->report.running();
}

void ThreadExecutor::stop() {
  run_->context.request_stop();
  asio::post(run_->io, [run = run_] { run->context.wake(); });
}

void ThreadExecutor::kill() {
  stop();
  asio::post(run_->io, [run = run_] { run->cancel.emit(asio::cancellation_type::terminal); });
}

}  // namespace controller::supervise
