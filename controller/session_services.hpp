// What a session tells of the services that live longer than its runs: to people as they fail, and
// in each sign of life.
#pragma once

#include <map>
#include <set>

#include "campaign/state/files.hpp"
#include "controller/progress/progress.hpp"
#include "controller/supervise/host.hpp"

namespace controller {

// What a person should hear: that a service fails, once, and that it is back; that its supervisor
// has given up; that it does not die. An Observer.
class ServiceNotes {
 public:
  explicit ServiceNotes(Progress* progress) : progress_(progress) {}
  void operator()(const supervise::Notice& notice);

 private:
  Progress* progress_;  // outlives this
  std::set<std::string> failing_;
};

// Every service of a host as it stands; of a supervisor in `held` (PersistentRunner::held) with its
// runner's name and its worker.
struct ServicesSeen {
  double utc = 0;  // now
  std::map<std::string, std::pair<std::string, int>> held = {};
};
std::vector<campaign::Heartbeat::Service> services_of(const supervise::Host& host,
                                                      const ServicesSeen& seen);

}  // namespace controller
