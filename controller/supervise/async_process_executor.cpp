#include "controller/supervise/async_process_executor.hpp"

#include <csignal>

#include "controller/supervise/process_executor.hpp"
#include "controller/supervise/worker.hpp"

namespace controller::supervise {

void AsyncProcessExecutor::start(Report report) {
  report_ = std::move(report);
  failure_.clear();
  child_.reset();
  Command command{.argv = parts_.argv, .log = parts_.log};
  if (command.argv.empty()) command.argv = {"/proc/self/exe", worker_word};
  child_ = spawn_child(io_, {.command = std::move(command),
                             .on_exit = [this](int exit_code) { on_exit(exit_code); },
                             .on_line = [this](const std::string& line) { on_line(line); }});
  child_->send(encode({.type = "start", .text = parts_.service, .options = parts_.options}));
}

void AsyncProcessExecutor::on_line(const std::string& line) {
  const auto message = decode_worker_message(line);
  if (!message) return;
  if (message->type == "running") report_.running();
  if (message->type == "failed") failure_ = message->text;
  if (message->type == "message" && parts_.on_message) parts_.on_message(message->text);
}

void AsyncProcessExecutor::on_exit(int exit_code) {
  Exit exit = exit_of(exit_code);
  if (!failure_.empty()) exit.how = failure_;
  report_.ended(std::move(exit));
}

// One whose messages nobody takes cannot be asked, and is killed when its time is up.
void AsyncProcessExecutor::stop() {
  if (child_) child_->send(encode({.type = "stop"}));
}

void AsyncProcessExecutor::kill() {
  if (child_) child_->signal(SIGKILL);
}

}  // namespace controller::supervise
