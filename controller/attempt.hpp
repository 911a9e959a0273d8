// One try at a run, from claim to teardown: what is to be done, where, and what has become of it so
// far. Owned by the worker that carries it out.
#pragma once

#include <filesystem>
#include <map>

#include "campaign/plan/plan.hpp"
#include "campaign/results/results.hpp"
#include "container/ephemeral.hpp"
#include "controller/gpu/hold.hpp"

namespace controller {

// Where an attempt's files are on the host.
struct AttemptPaths {
  std::filesystem::path results;  // the payload's
  std::filesystem::path ctl;      // ours
  std::filesystem::path home;
  std::filesystem::path exchange;  // the folder that is /campaign inside, for `launch`
};

// How the server beside a client ended, where it ended first.
struct ServerEnding {
  bool known = false;  // false: lost, or the engine cannot say
  std::optional<int> exit_code, signal;
  std::string exec_error;  // why its command could not be executed; "" = it was
  std::string last_lines;  // as last_lines.hpp gives them
};

// How the process of an attempt ended, as far as it can be known.
struct ProcessEnding {
  bool known = false;         // false: lost, or the engine cannot say
  bool start_failed = false;  // it never ran
  std::optional<int> exit_code, signal;
  bool oom_killed = false;
  bool engine_gap = false;  // the engine was away while it ran
  std::string error;
  double started_utc = 0, finished_utc = 0;
  std::optional<campaign::Outcome> outcome;  // the launcher's own
  std::optional<ServerEnding> server;        // it ended before its client
  std::optional<std::string> dependency;     // a service it depends on ended first: which, and how
};

// Why we ended it ourselves, if we did.
enum class OurStop { none, timeout, stalled, stopped };

enum class Entry { fresh, create_again, start_again, adopt, collect };

struct Attempt {
  const campaign::Experiment* experiment = nullptr;
  campaign::PlannedRun planned;
  std::string run;  // id; a pilot's is "<experiment>.p"
  int number = 1;
  bool pilot = false;
  int worker = 0, position = 0;
  std::vector<gpu::Device> devices;  // leased for it, in the order in which it sees them
  std::unique_ptr<gpu::Hold> hold;   // of these
  Entry entry = Entry::fresh;
  bool resumed = false, repeated = false;
  bool crosses = false;  // a cycle begins with it (in `grouped` order: the experiment changes)
  campaign::GapEnd gap;  // before its start
  bool cold = false;     // without warmup, in a container and a home of its own

  const campaign::Runner* runner = nullptr;  // effective, placeholders unfilled
  AttemptPaths paths;
  std::string container_name, container_id;
  std::string service;      // its container is held alive for this service's execs; "" = its own
  int container_run = 0;    // the n-th run of that container, from 1; 0 = its own, or not known
  bool distrusted = false;  // its container is not to be used again
  std::string server_id;    // the container of the server beside it
  std::int64_t pid = 0;
  std::uint64_t pid_start = 0;
  bool claimed = false, started = false;
  bool prepared = false;  // its container or gated process is there

  std::optional<campaign::FailureClass> early_failure;  // it never started: why stands in `message`
  OurStop our_stop = OurStop::none;
  ProcessEnding ending;
  bool exit_seen = false;  // a witness told
  std::unique_ptr<container::ExitWitness> witness;

  double claimed_boottime = 0;  // CLOCK_BOOTTIME, seconds
  double looked_boottime = 0;   // when the runner was last asked whether it has ended
  double finished_boottime = 0;
  std::map<std::string, double> stages;  // name -> seconds
  std::vector<std::string> neighbours;
  campaign::FailureClass cls = campaign::FailureClass::none;
  std::string message;
  std::string invalid_reason;      // a success whose figures do not count: why
  std::vector<std::string> notes;  // of what happened around it
  std::optional<campaign::EnvironmentRecord> environment;  // as it was just before its start
  campaign::Verdict verdict;

  // Seconds between TERM and KILL, where the runner does not say: what holds a GPU is slow to end.
  double grace() const {
    constexpr double usual = 10, with_gpus = 60;
    return runner->stop_grace_period.value_or(devices.empty() ? usual : with_gpus);
  }
  std::string name() const { return campaign::attempt_name(run, number); }
};

}  // namespace controller
