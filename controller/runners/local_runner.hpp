// Attempts as processes of this host, under the launcher, in sessions of their own: they outlive
// the controller and are adopted by pid, start time and boot id.
#pragma once

#include "controller/process.hpp"
#include "controller/runners/payload.hpp"
#include "controller/runners/runner.hpp"

namespace controller {

struct LocalRunnerParts {
  PayloadContext payload;
  std::string launcher;  // path
  Wake* wake = nullptr;
};

class LocalRunner : public Runner {
 public:
  explicit LocalRunner(LocalRunnerParts parts) : parts_(std::move(parts)) {}
  Task<> prepare(Attempt& attempt) override;
  Task<> make_ready(Attempt&) override { co_return; }
  Task<> warm_up(Attempt&) override { co_return; }
  Task<> start(Attempt& attempt) override;
  Task<> adopt(Attempt& attempt) override;
  Task<bool> ended(Attempt& attempt) override;
  Task<> stop(Attempt& attempt, const StopHow& how) override;
  Task<> conclude(Attempt&) override { co_return; }
  Task<> remove(Attempt& attempt) override;

 private:
  struct Live {
    GatedProcess gate;
    std::unique_ptr<ProcessWatch> watch;
  };
  Task<> watch(Attempt& attempt);

  LocalRunnerParts parts_;
  std::map<std::string, Live> live_;  // by attempt name
};

}  // namespace controller
