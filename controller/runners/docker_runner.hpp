// Attempts in ephemeral containers, through the engine.
#pragma once

#include "controller/runners/compose_side.hpp"
#include "controller/runners/runner.hpp"
#include "controller/runners/server_side.hpp"

namespace controller {

struct DockerRunnerParts {
  container::Engine* engine = nullptr;
  const Site* site = nullptr;
  PayloadContext payload;
  Belonging belonging;
  Wake* wake = nullptr;            // notified at each exit
  ServerSide* servers = nullptr;   // null: no runner has one
  ComposeSide* compose = nullptr;  // null: no runner is a service
};

// Every path of this host that a volume names must be there: what a typing error would make is
// empty, and would be measured. Throws PrepareError(config) that names one that is not. One that
// placeholders fill in is made: nobody could make those of every run ahead.
void need_bind_sources(const campaign::Runner& runner, const Payload& payload);

class DockerRunner : public Runner {
 public:
  explicit DockerRunner(DockerRunnerParts parts) : parts_(std::move(parts)) {}
  Task<> prepare(Attempt& attempt) override;
  Task<> make_ready(Attempt& attempt) override;
  Task<> warm_up(Attempt& attempt) override;
  Task<> start(Attempt& attempt) override;
  Task<> adopt(Attempt& attempt) override;
  Task<bool> ended(Attempt& attempt) override;
  Task<> stop(Attempt& attempt, const StopHow& how) override;
  Task<> conclude(Attempt& attempt) override;
  Task<> remove(Attempt& attempt) override;
  // Another witness: what the engine's event stream says.
  void tell(const container::EngineEvent& event);

 private:
  // An attempt that is under way, and what the event stream has said of its container.
  struct Watched {
    Attempt* attempt = nullptr;
    bool started = false, oom = false;
    std::optional<int> exit_code;
  };
  container::OnExit exit_of(Attempt& attempt);
  std::optional<container::Ending> told_ending(const Attempt& attempt) const;
  void take_ending(Attempt& attempt, const container::Ending& ending) const;
  Task<> create(Attempt& attempt, const Payload& payload);
  Task<> take_up_service(Attempt& attempt);
  Task<> prepare_now(Attempt& attempt);
  Task<> start_now(Attempt& attempt);
  Task<> adopt_now(Attempt& attempt);
  Task<bool> ended_now(Attempt& attempt);
  Task<> stop_now(Attempt& attempt, const StopHow& how);

  DockerRunnerParts parts_;
  std::map<std::string, Watched> watched_;  // by container id, from start to removal
};

}  // namespace controller
