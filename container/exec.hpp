// One run as a process in a container that stays, done so that nothing is lost. The launcher is its
// entry: it refuses a second start of the attempt, writes output and outcome into a folder of the
// host, and can be stopped with all that it started. So a run is found again after the loss of this
// program (through the engine's list of execs), of the engine (through the launcher's files), and
// of both. Used from the engine's thread only.
//
// Without the launcher (`launcher` empty) the engine's answers are all there is: the output is
// written here, the run is lost with this program or the engine, and it cannot be stopped alone.
//
// An exec's own life:
//   nothing ──start_exec──► running ──► ended        the outcome file, or else the engine, says how
//      │                      └───────► lost         no outcome file and no process
//      └──────────────────────────────► start_failed the engine could not execute the launcher
#pragma once

#include <filesystem>

#include "container/engine.hpp"
#include "container/ephemeral.hpp"

namespace container {

struct ExecRun {
  std::string container;  // id
  std::string name;       // "<run>.a<n>": what the launcher is told with --run, unique per attempt
  std::vector<std::string> command;
  std::vector<std::string> env = {};          // K=V
  std::string user = {};                      // always said: "uid:gid"
  std::string working_dir = {};               // of the payload; one that is not there is an outcome
  std::string launcher = "/campaign/launch";  // in the container; empty: without it
  std::vector<std::string> launcher_flags = {};  // --cap, --window-begin, ...
  std::string out = {};                          // the launcher's --out, as the container sees it
  std::filesystem::path out_here = {};           // the same folder as this host sees it
};

// What is known of an exec.
struct ExecEnding {
  enum class Kind {
    running,
    ended,         // with an outcome file where there is a launcher
    start_failed,  // nothing of it ran; `error` has the engine's words, or the launcher's
    begun_before,  // this attempt was started before, and that one counts: adopt it
    lost           // it ran, or may have, and is gone without an outcome
  } kind = Kind::running;
  std::optional<int> exit_code =
      {};                // the engine's word; the outcome file, if there is one, decides
  bool outcome = false;  // out_here/outcome.json is there
  std::string error = {};
};

// Tells of the end of an exec: `on_exit` is called once, from the engine's thread, when the outcome
// file turns up, when tell() hears of the exec's end, or when the periodic look finds it ended;
// look_exec() then says what happened. Destroying it cancels; the engine's io_context outlives it.
class ExecWitness : public ExitWitness {
 public:
  // An event of the engine, any event: for owners of an event stream. Execs end by `exec_die`, and
  // with their container by `die`.
  virtual void tell(const EngineEvent& event) = 0;
};

struct ExecStarted {
  std::unique_ptr<ExecWitness> witness;  // null: it does not run, see `ending`
  ExecEnding ending;
  std::string exec;  // the engine's id of it; empty where the engine has forgotten it
};

// Starts it. `begin` is called with the engine's id before the start, for what must be durable
// first; it may be empty. A container that does not run is an EngineError 409.
struct ExecHooks {
  OnExit on_exit;
  std::function<void(const std::string& exec)> begin = {};
};
Task<ExecStarted> start_exec(Engine& engine, const ExecRun& run, ExecHooks hooks);

// Takes up one that a program before this one, or an engine before this one, left behind, in
// whatever state. Never starts anything: an attempt that had not begun is fenced off, so that a
// start that is still on its way to the engine comes to nothing, and is then `lost`.
Task<ExecStarted> adopt_exec(Engine& engine, const ExecRun& run, OnExit on_exit);

// What has become of it. `exec` may be empty or forgotten by the engine. An outcome file ends it at
// once: the payload and all that it started are gone by then, and the launcher only has to exit.
Task<ExecEnding> look_exec(Engine& engine, const ExecRun& run, const std::string& exec);

// Until the engine has seen that end too, some 10 ms later, at most 10 s: for the teardown of a
// run, after which the engine's list of execs is to be empty.
Task<> settle_exec(Engine& engine, const std::string& exec);

// Stops it with everything that it started, through the launcher: TERM, then KILL after the grace;
// returns when it is proved that nothing of it is left. A container that does not run has no execs.
// EngineError 501 without the launcher: only a stop of the container ends it then.
Task<ExecEnding> stop_exec(Engine& engine, const ExecRun& run, const StopLimits& limits);

// The engine's id of the exec that runs an attempt now; nullopt: none that it knows of.
Task<std::optional<std::string>> find_exec(Engine& engine, const std::string& container,
                                           const std::string& name);

// A command in a container from start to end, with its output: for readiness checks, warm-up and
// the like. Cancelled after `limit` seconds (timed_out; the process may go on).
struct ExecOutput {
  int exit_code = 0;
  bool timed_out = false;
  std::string out, err;  // at most 64 KiB each, the last of them
};
Task<ExecOutput> run_exec(Engine& engine, const std::string& container, const ExecSpec& spec,
                          double limit);

}  // namespace container
