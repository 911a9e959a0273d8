// What the stages of all runs of a session share. Nothing here is owned but the plain values; one
// thread.
#pragma once

#include "controller/ledger.hpp"
#include "controller/progress/progress.hpp"
#include "controller/runners/payload.hpp"
#include "controller/runners/runner.hpp"
#include "controller/runners/site.hpp"
#include "controller/stop.hpp"

namespace controller {

namespace gpu {
class Broker;
}
namespace telemetry {
class Recorder;
}
namespace thermal {
struct Temperatures;
}
class EnvironmentWatch;

struct WorkerStatus {
  std::string run, stage;
  double since_utc = 0;
  double initialization = 0;  // seconds from the controller's start to its first run
  // When its last run ended; below 0 of one before the boot. None = no run yet.
  std::optional<double> finished_boottime;
  std::size_t completed = 0;
  Wait wait;
};

struct RunContext {
  const campaign::Campaign* campaign = nullptr;
  const campaign::Manifest* manifest = nullptr;
  const campaign::Clock* clock = nullptr;
  campaign::ResultsFolder results;
  Ledger* ledger = nullptr;
  Wake* wake = nullptr;
  Stop* stop = nullptr;
  Progress* progress = nullptr;
  campaign::Environment environment;
  const Site* site = nullptr;               // null when nothing runs in containers
  gpu::Broker* broker = nullptr;            // null when no run has GPUs
  telemetry::Recorder* recorder = nullptr;  // null when nothing is sampled
  EnvironmentWatch* watch = nullptr;        // of the circumstances of runs
  std::function<Runner&(const Attempt&)> runner_of;
  std::function<Task<bool>()>
      engine_is_back;  // waits for an engine that went away; false = given up
  std::function<Task<>()>
      ask_engine_anew;  // on a new connection; throws EngineAway where none is taken
  // Of its devices, or the processors, in at most so many seconds; none = nothing is read.
  std::function<Task<thermal::Temperatures>(const Attempt&, double most)> temperatures_of;
  std::string sensor_notice;  // the last that was told of them
  std::vector<WorkerStatus> workers;
  std::map<std::string, double> device_finished;  // by UUID: boottime of the end of its last run
  std::optional<double> finished_before;  // of the last run that an earlier controller saw end
  std::vector<Attempt*> under_way;        // being started or running now, see UnderWay
  std::optional<campaign::Deadline> resumed_gap;  // a gap that a dead controller had begun,
  std::string resumed_gap_run;                    // for this run
  Wait engine_wait;                               // for the engine, by whoever asks it
  std::string engine_id, host;
};

// An attempt from before its start to its end. All that are under way meanwhile are its neighbours,
// and it is theirs. It begins before the start, since a short neighbour may have ended by the time
// the engine says that this one was started.
class UnderWay {
 public:
  UnderWay(RunContext& context, Attempt& attempt);
  ~UnderWay();
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

 private:
  RunContext& context_;
  Attempt& attempt_;
};

// Of the workers that wait the first whose wait nobody knows the end of, else the first; null =
// none waits.
const WorkerStatus* waiting_worker(const RunContext& context);
// The one wait that is shown: for the engine, without which nobody gets on, else of that worker.
const Wait& shown_wait(const RunContext& context);

// Shows what a worker waits for, while it is alive.
class Waiting {
 public:
  Waiting(RunContext& context, int worker, Wait wait = {});
  ~Waiting() { show({}); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  void show(Wait wait) { shown_ = std::move(wait); }

 private:
  Wait& shown_;
};

AttemptPaths attempt_paths(const campaign::ResultsFolder& results, const Attempt& attempt);
// Seconds that are left of a deadline: by boottime on the same boot, else by UTC clamped to [0,
// length].
double seconds_left(const campaign::Deadline& deadline, const campaign::Clock& clock);

}  // namespace controller
