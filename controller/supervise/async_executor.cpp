#include "controller/supervise/async_executor.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace controller::supervise {

namespace asio = boost::asio;

struct AsyncExecutor::Run {
  Run(ServiceBody its_body, Report its_report)
      : body(std::move(its_body)), report(std::move(its_report)), context([this] {
          if (report.running) report.running();
        }) {}
  ServiceBody body;
  Report report;
  ServiceContext context;
  asio::cancellation_signal cancel;

  void tell_end(const std::string& failure) const {
    if (report.ended)
      report.ended({.well = failure.empty(), .how = failure.empty() ? "returned" : failure});
  }
};

AsyncExecutor::AsyncExecutor(asio::io_context& io, ServiceBody body, Ready ready)
    : io_(io), body_(std::move(body)), ready_(ready) {}

AsyncExecutor::~AsyncExecutor() {
  if (run_) run_->report = {};
}

void AsyncExecutor::start(Report report) {
  run_ = std::make_shared<Run>(body_, std::move(report));
  // An exception here: it was cancelled before its first step.
  asio::co_spawn(io_, failure_of(run_->body, run_->context),
                 asio::bind_cancellation_slot(
                     run_->cancel.slot(),
                     [run = run_](const std::exception_ptr& error, const std::string& failure) {
                       run->tell_end(error ? "cancelled" : failure);
                     }));
  if (ready_ == Ready::at_once) run_->context.ready();
}

void AsyncExecutor::stop() {
  run_->context.request_stop();
  run_->context.wake();
}

void AsyncExecutor::kill() {
  stop();
  run_->cancel.emit(asio::cancellation_type::terminal);
}

}  // namespace controller::supervise
