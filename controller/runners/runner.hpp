// How one attempt is executed: the seam between a campaign and what runs its payloads. prepare,
// start, watch, stop, remove. All verbs are idempotent, so that an attempt can be taken up again
// after a kill at any instant.
#pragma once

#include <memory>

#include "controller/attempt.hpp"
#include "controller/wake.hpp"

namespace controller {

// A failure that has a class of its own (config: a placeholder or a variable that is not set);
// others are infra.
class PrepareError : public std::runtime_error {
 public:
  PrepareError(campaign::FailureClass failure, const std::string& what)
      : std::runtime_error(what), cls(failure) {}
  campaign::FailureClass cls;
};

// The engine does not answer. The sequencer waits for it and tries again; no attempt is used up.
class EngineAway : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The controller is asked to stop before the attempt was started: it goes back to pending, its
// number is not used up.
class ReleasedBeforeStart : public std::exception {};

class Runner {
 public:
  virtual ~Runner() = default;
  // Everything but the start: container created, or launcher waiting at its gate. Sets container_id
  // or pid.
  virtual Task<> prepare(Attempt& attempt) = 0;
  // When it is its turn: waits until what it needs is ready (a container that is held alive, a
  // server beside it), each for a bounded time.
  virtual Task<> make_ready(Attempt& attempt) = 0;
  // Warms up what is to be measured; never a result.
  virtual Task<> warm_up(Attempt& attempt) = 0;
  // After `starting` is durable. Leaves a witness that sets attempt.exit_seen and wakes. A start
  // that failed is an ending.
  virtual Task<> start(Attempt& attempt) = 0;
  // Takes up one that a dead controller, or an engine that was away, left behind: like start, from
  // whatever state it is in.
  virtual Task<> adopt(Attempt& attempt) = 0;
  // True when it has ended; attempt.ending then says how. Called when a witness told, and now and
  // then.
  virtual Task<bool> ended(Attempt& attempt) = 0;
  struct StopHow {
    double grace = 10;            // seconds between TERM and KILL; 0 = KILL at once
    std::function<bool()> hurry;  // true = KILL now
  };
  // Returns when it is verified to be gone; attempt.ending then says how it ended.
  virtual Task<> stop(Attempt& attempt, const StopHow& how) = 0;
  // Once it is over: what ran beside it is told to end, and its logs lie in the ctl folder.
  virtual Task<> conclude(Attempt& attempt) = 0;
  // What is left of it on the engine. Nothing to remove is fine.
  virtual Task<> remove(Attempt& attempt) = 0;
};

}  // namespace controller
