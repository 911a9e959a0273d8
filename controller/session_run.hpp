// One session of one controller: its parts, in the order in which they come to be; they go in the
// reverse one.
#pragma once

#include "controller/recovery.hpp"
#include "controller/run_sync.hpp"
#include "controller/runners/docker_runner.hpp"
#include "controller/runners/local_runner.hpp"
#include "controller/runners/persistent_runner.hpp"
#include "controller/session_state.hpp"

namespace controller {

namespace gpu {
class Broker;
struct Allotment;
struct Asked;
struct Neighbours;
}  // namespace gpu
namespace telemetry {
class Recorder;
}
namespace thermal {
class Thermometer;
}
class EnvironmentWatch;

// What waits and what wakes it; outlives the session.
struct Loop {
  boost::asio::io_context& io;
  Wake& wake;
  Stop& stop;
};

class SessionRun {
 public:
  SessionRun(const SessionRequest& request, Loop loop);
  ~SessionRun();
  SessionResult run();

 private:
  SessionResult carry_out();
  // session_setup.cpp: everything up to the first run
  void prepare_folders();
  bool uses_containers() const;
  // Images as the runs will name them, each with its pull policy.
  std::map<std::string, campaign::PullPolicy> images() const;
  std::map<std::string, std::string> builds() const;
  void connect();
  void take_image_identities();
  // session_devices.cpp: which GPUs the runs may have; what cannot be had is an error before
  // anything starts.
  void make_broker();
  void refuse_unsaid(const campaign::Experiment& experiment) const;
  std::vector<gpu::Asked> gpu_wishes() const;
  gpu::Allotment gpu_allotment(const std::vector<gpu::Asked>& asked);
  Task<std::vector<container::ContainerSummary>> containers_with_gpus();
  Task<gpu::Neighbours> device_neighbours();
  void begin_journal();
  // --new over an unfinished session: its containers go first, and its journal says why.
  void abandon_earlier();
  void fill_context();
  // Gaps count from the end of the last run, also when another controller saw it.
  void take_up_times();
  Belonging belonging() const;
  void make_runners();
  void make_compose_side();
  void make_container_runners(const PayloadContext& payload);
  Runner& runner_of(const Attempt& attempt);
  Task<bool> engine_is_back();
  Task<> ask_engine_anew();
  // Gives up, with the signal's code, when a signal comes while nothing is under way yet.
  template <class T>
  T during_setup(Task<T> task) {
    auto value = run_sync<T>(loop_.io, std::move(task), [this] { return loop_.stop.now(); });
    if (!value) stopped_early();
    return std::move(*value);
  }
  [[noreturn]] void stopped_early() const;

  // session_selection.cpp: --retry, --rerun, --only
  void apply_selectors();
  // --retry gives failed and skipped runs new attempts, --rerun any that are done.
  void reopen(const std::string& text, bool rerun);
  std::set<std::size_t> selected() const;

  // session_services.cpp: what lives longer than a run
  void make_host();
  void begin_services();
  void make_telemetry();
  void make_watch();
  void make_thermometer();

  // session.cpp: the runs, and the end
  bool nothing_to_do() const;
  SessionResult go();
  Task<SequenceEnd> carry_out_runs();
  Task<> run_owed_cleanup();
  // What outlives runs, on every way out; what cannot be removed is left for the next start.
  Task<> tear_down();
  Task<> pulse();
  void beat();
  struct Ended {
    int exit_code = 0;
    std::string message;
  };
  Ended conclude(const SequenceEnd& end);
  Ended all_drawn();
  void write_aggregates(const SessionResult& result) const;
  void leave_snapshot();
  SessionResult result_of(const Ended& ended);
  SessionResult ended_before();
  campaign::Summary summary() const;

  const SessionRequest& request_;
  Loop loop_;
  const campaign::Clock& clock_;
  OpenState state_;
  std::unique_ptr<container::Engine> engine_;
  std::optional<compose::Project> project_;  // where a runner is a service of a compose file
  std::optional<Site> site_;
  std::unique_ptr<gpu::Broker> broker_;  // outlives all attempts
  std::unique_ptr<Ledger> ledger_;
  RunContext context_;
  std::unique_ptr<supervise::Host> host_;
  std::unique_ptr<ComposeSide> compose_;
  std::unique_ptr<telemetry::Recorder> telemetry_;
  std::unique_ptr<EnvironmentWatch> watch_;
  std::unique_ptr<thermal::Thermometer> thermometer_;
  std::unique_ptr<ServerSide> servers_;
  std::unique_ptr<DockerRunner> docker_;
  std::unique_ptr<PersistentRunner> persistent_;
  std::unique_ptr<LocalRunner> local_;
  std::vector<campaign::Runner> runners_;  // per experiment
  std::unique_ptr<Sequencer> sequencer_;
  double begun_utc_ = 0;
  Wake pulse_;
  bool pulsing_ = false;
  std::int64_t snapshot_seq_ = 0;  // of our own records, at the last snapshot
};

}  // namespace controller
