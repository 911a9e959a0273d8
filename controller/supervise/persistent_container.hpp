// A container that lives longer than a run, as an owner of one sees it: under a supervisor of its
// own in a host, its output copied to a file, its comings and goings told at once.
#pragma once

#include "controller/supervise/container_executor.hpp"
#include "controller/supervise/host.hpp"
#include "controller/supervise/log_pump.hpp"

namespace controller::supervise {

struct PersistentContainerParts {
  ContainerParts container;  // its hooks are called after what is done here
  SupervisorPolicy supervisor;
  ServicePolicy service = {};  // "" = named as the supervisor
  std::string log;             // "" = its output is not copied
  std::int64_t log_cap = 64 << 20;
};

class PersistentContainer {
 public:
  // Starts it. The host outlives this and shuts both down; destroying this alone changes nothing.
  PersistentContainer(Host& host, PersistentContainerParts parts);

  const std::string& id() const;  // of the incarnation that runs; "" = none runs
  bool serving() const;           // and is ready
  int incarnation() const;        // counts from 1; another number = it was restarted meanwhile
  // How the last one ended, or why none could be made; "" = neither.
  const std::string& last_end() const;

  // True once it serves; false when its supervisor has given up or stopped, or the time is over.
  Task<bool> serving_within(double seconds);
  // Stops it, makes or starts it again: between runs, or when what runs in it has lost its device.
  void restart();
  void tell_end(const std::string& container_id);  // another witness, such as the engine's events
  // Stops and forgets it, the log last. Bounded by its policy.
  Task<> remove();

 private:
  struct Status;
  Host& host_;
  std::string name_, service_, pump_name_;
  std::shared_ptr<Status> status_;  // also held by the hooks
  ContainerExecutor* executor_ = nullptr;
};

}  // namespace controller::supervise
