// Carries out what its Machine decides: starts, stops and restarts services through their
// executors, and tells observers each step. Belongs to the thread of its loop.
#pragma once

#include <deque>

#include "controller/supervise/machine.hpp"

namespace campaign {
class Clock;
}

namespace controller::supervise {

// One step of one supervisor, as observers hear it: after it was carried out, on the loop's thread.
struct Notice {
  const std::string& supervisor;
  const std::string& service;  // "" where the step is of the whole supervisor
  const Step& step;
  std::string text;  // "back_off web 1.2 s: exit code 3"
};
using Observer = std::function<void(const Notice&)>;  // must return at once

struct SupervisorParts {
  const campaign::Clock* clock = nullptr;
  std::function<double()> chance;  // uniform in [0, 1)
  Observer observer;               // may be empty
};

class Supervisor {
 public:
  Supervisor(SupervisorPolicy policy, std::vector<Service> services, SupervisorParts parts);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  // What still runs is killed; call it for one that run() has not finished only when the loop will
  // not run again.
  ~Supervisor();

  // Starts the services; returns once none runs any more: after stop(), hurry(), or having given
  // up. To be awaited once. After a stop it takes at most twice the sum of all stop_within and
  // kill_within: once for the services, once for what executors clear away behind them.
  Task<> run();
  void stop();
  void hurry();                              // no grace any more
  void restart(const std::string& service);  // not counted as a crash
  Task<> finished();                         // returns when run() has

  const std::string& name() const { return machine_.policy().name; }
  const Machine& machine() const { return machine_; }
  bool over() const { return over_; }
  bool spent() const { return over_ || machine_.spent(); }
  const std::string& why_gave_up() const { return why_gave_up_; }  // "" = it did not

 private:
  void tell(Input input);
  void drain();
  void carry_out(const Step& step);
  void start(std::size_t service, int incarnation);
  Task<> close();

  Machine machine_;
  std::vector<std::unique_ptr<Executor>> executors_;
  SupervisorParts parts_;
  std::deque<Input> inputs_;
  Wake wake_;
  bool over_ = false;
  std::string why_gave_up_;
};

}  // namespace controller::supervise
