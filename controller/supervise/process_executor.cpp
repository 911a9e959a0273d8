#include "controller/supervise/process_executor.hpp"

#include <csignal>

namespace controller::supervise {

Exit exit_of(int exit_code) {
  constexpr int signals = 128;
  const bool killed = exit_code > signals;
  return {.well = exit_code == 0,
          .how = killed ? "signal " + std::to_string(exit_code - signals)
                        : "exit code " + std::to_string(exit_code)};
}

void ProcessExecutor::start(Report report) {
  child_.reset();
  child_ = spawn_child(io_, {.command = command_, .on_exit = [ended = report.ended](int exit_code) {
                               ended(exit_of(exit_code));
                             }});
  report.running();
}

void ProcessExecutor::stop() {
  if (child_) child_->signal(SIGTERM);
}

void ProcessExecutor::kill() {
  if (child_) child_->signal(SIGKILL);
}

}  // namespace controller::supervise
