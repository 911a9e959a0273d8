// What a supervisor decides: a state machine without clock, chance or effects. An input and the
// moment go in; steps come out, some to be carried out, all to be told to observers. The state
// diagram: docs/supervision.md.
#pragma once

#include <vector>

#include "controller/supervise/executor.hpp"

namespace controller::supervise {

struct Input {
  enum class Kind {
    start,    // all services, in their order
    running,  // an incarnation serves
    ended,    // an incarnation has ended
    restart,  // one service, because somebody wants it; counts against no limit
    stop,     // all, in reverse order
    hurry,    // all at once and by force
    tick      // time has passed
  } kind = Kind::tick;
  std::size_t service = 0;
  int incarnation = 0;
  Exit exit = {};
};

struct Moment {
  double now = 0;     // seconds of any clock that does not jump
  double chance = 0;  // uniform in [0, 1), for jitter
};

struct Step {
  enum class What {
    start,  // to be carried out: start this incarnation,
    stop,   // ask it to end,
    kill,   // end it by force
    running,
    healthy,   // its back-off begins anew
    ended,     // cause: how
    back_off,  // will be started again after `delay`
    done,      // has ended and is not restarted
    lost,      // does not die; never started again
    give_up,   // the whole supervisor: more restarts than allowed, or a lost service
    finished   // nothing runs any more
  } what = What::start;
  std::size_t service = 0;  // means nothing for give_up and finished
  int incarnation = 0;
  std::string cause = {};
  double delay = 0;
};

enum class Phase { stopped, starting, running, stopping, killing, waiting, done, lost };

struct ServiceState {
  ServicePolicy policy;
  Phase phase = Phase::stopped;
  int incarnation = 0;        // counts starts
  int restarts_in_a_row = 0;  // without having been healthy
  double since = 0;           // when it came to run
  double until = 0;           // when the phase is over: a bound, the end of a back-off, health
  double not_before = 0;      // earliest next start
  bool wanted = false;        // is to run
  bool overdue = false;       // is killed since it did not start in time
  bool cycling = false;       // is to be stopped and started again
  bool counted = false;       // its next start is a restart within the limit
  bool first = false;         // its next start is one of the first
  std::string cause;          // of its next start
};

class Machine {
 public:
  enum class State { idle, running, stopping, stopped, giving_up, gave_up };

  Machine(SupervisorPolicy policy, const std::vector<ServicePolicy>& services);
  std::vector<Step> handle(const Input& input, Moment moment);
  // When a tick is due, in seconds of the moments; infinity = only an input changes anything.
  double next_deadline() const;
  State state() const { return state_; }
  bool finished() const { return state_ == State::stopped || state_ == State::gave_up; }
  // Finished, or every service has ended for good: nothing runs and nothing will, unless a restart
  // is asked for.
  bool spent() const;
  const SupervisorPolicy& policy() const { return policy_; }
  const std::vector<ServiceState>& services() const { return services_; }
  std::size_t index_of(const std::string& service) const;  // throws std::out_of_range

 private:
  void apply(const Input& input);
  void begin();
  void on_running(std::size_t i, int incarnation);
  void on_ended(std::size_t i, const Input& input);
  void crashed(std::size_t i, const Exit& exit);
  void restart_wanted(std::size_t i);
  void cycle_others(std::size_t i, double due, const std::string& cause);
  void wind_down(State state);
  void give_up(const std::string& reason);
  void expire();
  void expire(std::size_t i);
  bool stop_one();
  bool start_one();
  bool may_start(std::size_t i) const;
  void start(std::size_t i);
  bool allowed(double at) const;
  bool in_group(std::size_t of, std::size_t i) const;
  bool to_stop(const ServiceState& service) const;
  void step(Step::What what, std::size_t i, std::string cause = {});

  SupervisorPolicy policy_;
  std::vector<ServiceState> services_;
  State state_ = State::idle;
  bool hurry_ = false;
  std::vector<double> restarts_;  // their moments, those in the window
  Moment moment_;
  std::vector<Step> steps_;
};

// "start web: restart after exit code 3", a line without its end.
std::string to_text(const Step& step, const Machine& machine);
std::string to_text(Step::What what);
std::string to_text(Phase phase);

}  // namespace controller::supervise
