// What to do with what a dead controller left: a pure decision over the fold and what the engine
// shows, as a printable plan: for each run that is in flight or has something on the engine, then
// for each container that is held alive, which stays only under an exec that is adopted.
#pragma once

#include <set>

#include "campaign/state/fold.hpp"

namespace campaign {

// A container of ours on the engine, or a launched process of a local run.
struct Observed {
  std::string run;
  int attempt = 0;
  std::string id, name;
  enum class State { created, running, exited, paused, removing, dead } state = State::created;
  bool server = false;  // the server beside a client
  std::string service;  // it is held alive for the execs of this service; "" = it is a run's own
};

struct FoundOnDisk {
  bool whole_in_raw = false;   // raw/<run> is there with a run.json of attempt `attempt`
  bool outcome = false;        // ctl/<run>.a<n>/outcome.json is there
  bool process_alive = false;  // local: pid, start time and boot id match a live process
  int attempt = 0;
};

struct ReconcileStep {
  enum class Action {
    adopt,             // it runs: attach again, wait, collect
    collect,           // it ended: classify and verify
    start_again,       // POST start again, then adopt
    create_again,      // same name, same attempt
    record_completed,  // it is whole in raw/: verify, journal, remove
    interrupted_lost,  // nothing is left of it: next attempt
    remove,            // a leftover
    unpause_adopt,
    await_gone,
    refuse
  } action = Action::remove;
  std::string run;
  int attempt = 0;
  std::string id;     // container id, "" when there is none
  std::string cause;  // "journal says running, engine says exited"
  std::string text() const;
};

struct ReconcileInput {
  const Fold* fold = nullptr;
  std::vector<Observed> containers;  // with our uid on this engine
  std::set<std::string> execs;       // attempts ("<run>.a<n>") whose exec runs now
  std::map<std::string, FoundOnDisk>
      on_disk;  // run -> what its folders hold; only runs in flight or with containers
  std::string engine_id, host;
};
std::vector<ReconcileStep> reconcile(const ReconcileInput& input);

}  // namespace campaign
