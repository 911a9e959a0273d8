// One container from create to removal, done so that nothing is lost: the name is a fence, a wait
// is open before start, an exit is confirmed by inspect, and what cannot be known is said to be
// unknown. Used from the engine's thread only.
#pragma once

#include <functional>
#include <memory>

#include "container/engine.hpp"
#include "container/tar.hpp"

namespace container {

// What is known of a container that was to run.
struct Ending {
  enum class Kind {
    running,  // it has not ended
    exited,
    start_failed,  // by the engine; exit_code 126, 127 or 128 where it says so
    gone           // the engine does not have it
  } kind = Kind::running;
  int exit_code = 0;
  bool oom_killed = false;
  std::string error = {};
  double started_utc = 0, finished_utc = 0;  // seconds since the epoch, 0 = unknown
};
Ending ending_of(const ContainerState& state);
// RFC 3339 with nanoseconds, as engines write it, to seconds since the epoch; 0 for the year 1 and
// for nonsense.
double parse_engine_time(const std::string& text);

// Creates by name. On a conflict the container of that name is taken over when `ours` accepts its
// labels and it has not ended, else EngineError 409.
using Ours = std::function<bool(const std::map<std::string, std::string>& labels)>;
Task<std::string> create_fenced(Engine& engine, const ContainerSpec& spec, const Ours& ours);

// Into a container that is not started yet, each by its path below /.
Task<> put_files(Engine& engine, std::string id, std::vector<TarFile> files);

// Tells of an exit: `on_exit` is called once, from the engine's thread, when a wait ends or is cut;
// inspect() then says what happened. Destroying it cancels.
class ExitWitness {
 public:
  virtual ~ExitWitness() = default;
};
using OnExit = std::function<void()>;

// Opens the wait, starts, and leaves the witness behind. A failed start is a value: kind
// start_failed.
struct Started {
  std::unique_ptr<ExitWitness> witness;
  Ending ending;
};
Task<Started> start_watched(Engine& engine, const std::string& id, OnExit on_exit);
// The two halves of start_watched for a container that was only created: the wait can be opened
// ahead of a start that is due later. An exit that is told before means that the wait was cut.
Task<std::unique_ptr<ExitWitness>> watch_first_exit(Engine& engine, const std::string& id,
                                                    OnExit on_exit);
Task<Started> start_under(Engine& engine, const std::string& id,
                          std::unique_ptr<ExitWitness> witness);
// For one that may run already: starts it where it is only created, unpauses it, and waits for `not
// running`.
Task<Started> adopt_watched(Engine& engine, const std::string& id, OnExit on_exit);

// SIGTERM (or what `signal` says), then SIGKILL after `grace` seconds (0 = at once); returns when
// the engine says that it does not run.
struct StopLimits {
  double grace = 10;
  double give_up = 60;          // after the kill; then EngineError
  std::function<bool()> hurry;  // true = kill now
  std::string signal = "TERM";
};
Task<Ending> stop_verified(Engine& engine, const std::string& id, const StopLimits& limits);

// Inspect as an Ending; 404 is kind gone.
Task<Ending> look(Engine& engine, const std::string& id);

}  // namespace container
