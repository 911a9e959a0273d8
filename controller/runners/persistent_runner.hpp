// Attempts as execs in containers that are held alive: one container for each runner of the
// campaign and each worker, under a supervisor of its own that makes it anew when it dies. A
// container is also made anew when the next run needs another one (other image, mounts or limits),
// when a run is to start cold, when it is unhealthy at a look between runs, and when its output
// says that it has lost its devices.
//
//   make_ready   the container serves: created, started, healthy
//   warm_up      warmup_command, as execs of their own, until enough or converged
//   start, stop  through the launcher, which writes output and outcome and proves that all is gone
#pragma once

#include "controller/runners/compose_side.hpp"
#include "controller/runners/runner.hpp"
#include "controller/runners/server_side.hpp"
#include "controller/supervise/persistent_container.hpp"

namespace controller {

struct PersistentRunnerParts {
  container::Engine* engine = nullptr;
  const Site* site = nullptr;
  PayloadContext payload;
  Belonging belonging;
  Wake* wake = nullptr;
  campaign::ResultsFolder results;
  supervise::Host* host = nullptr;
  ServerSide* servers = nullptr;                 // null: no runner has one
  ComposeSide* compose = nullptr;                // null: no runner is a service
  std::function<bool()> cancelled;               // nothing is to be waited for any more
  std::function<void(const std::string&)> note;  // a line for people
};

class PersistentRunner : public Runner {
 public:
  explicit PersistentRunner(PersistentRunnerParts parts);
  ~PersistentRunner() override;
  Task<> prepare(Attempt& attempt) override;
  Task<> make_ready(Attempt& attempt) override;
  Task<> warm_up(Attempt& attempt) override;
  Task<> start(Attempt& attempt) override;
  Task<> adopt(Attempt& attempt) override;
  Task<bool> ended(Attempt& attempt) override;
  Task<> stop(Attempt& attempt, const StopHow& how) override;
  Task<> conclude(Attempt& attempt) override;
  Task<> remove(Attempt& attempt) override;
  // What the engine's event stream says.
  void tell(const container::EngineEvent& event);
  // The containers that are held now: name, which is their supervisor's too -> service and worker.
  std::map<std::string, std::pair<std::string, int>> held() const;

 private:
  struct Held;
  struct Live {
    container::ExecRun run;
    Attempt* attempt = nullptr;                 // once it is started
    std::string exec;                           // the engine's id
    container::ExecWitness* witness = nullptr;  // the attempt's
  };

  Held& held_of(const Attempt& attempt);
  DockerSpecRequest request(const Attempt& attempt, const Payload& payload) const;
  container::OnExit exit_of(Attempt& attempt) const;
  Task<> ready_now(Attempt& attempt);
  Task<> warm_now(Attempt& attempt);
  Task<> start_now(Attempt& attempt);
  Task<> adopt_now(Attempt& attempt);
  Task<bool> ended_now(Attempt& attempt);
  Task<> stop_now(Attempt& attempt, const StopHow& how);
  // The container that an attempt needs, and what is put into it.
  struct Wanted {
    container::ContainerSpec spec;
    std::vector<container::TarFile> files;
    std::optional<std::string> emptied;  // a line about GPUs that its service reserves in vain
  };
  Wanted wanted(const Attempt& attempt) const;
  void make_container(Held& held, const Attempt& attempt, Wanted wanted);
  Task<> renew(Held& held, const Attempt& attempt, const std::string& hash);
  Task<bool> unhealthy(Held& held, const Attempt& attempt);
  Task<> tell_of_its_container(Attempt& attempt);
  Task<> end_with_its_run(Held& held);
  Task<> restarted(Held& held);
  Task<> forget_if_away(Held& held);
  Task<> await_serving(Held& held, const Attempt& attempt);
  Live& live_of(const Attempt& attempt);
  void take(Attempt& attempt, container::ExecStarted started);
  void take_ending(Attempt& attempt, const container::ExecEnding& seen) const;

  PersistentRunnerParts parts_;
  std::map<std::pair<std::string, int>, std::unique_ptr<Held>> held_;  // by service and worker
  std::map<std::string, Live> live_;                                   // by attempt name
};

}  // namespace controller
