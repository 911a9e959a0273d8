// What a session has of its compose project: its networks and volumes, and the services that the
// runs' own depend on, made once, kept up under a supervisor, taken down at the end. The services
// of the runs themselves are described here and made by their runners.
//
// A volume with a name of its own (`name:`) is a store that outlives campaigns: it is made where it
// is missing, belongs to nobody, and stays. The others go with the session.
#pragma once

#include <set>

#include "compose/project.hpp"
#include "controller/runners/docker_spec.hpp"
#include "controller/supervise/host.hpp"

namespace controller {

// Whether its runs are a service of the compose file.
bool is_service(const Attempt& attempt);

// Throws CommandError: environment, naming what stands on the engine under a name that the project
// needs and belongs to somebody else; usage, for what no engine can make. `uid` is the campaign's.
Task<> refuse_foreign(container::Engine& engine, const compose::Project& project,
                      const std::string& uid);

struct ComposeSideParts {
  container::Engine* engine = nullptr;
  const Site* site = nullptr;
  const compose::Project* project = nullptr;
  compose::Strings in_use;      // services of the runs
  std::set<std::string> alone;  // those of which the runs never have two containers at once
  int workers = 1;
  Belonging belonging;
  supervise::Host* host = nullptr;
  Wake* wake = nullptr;
  campaign::HealthCheck health;
  std::filesystem::path logs;                    // a folder; NAME.log for each container
  std::function<bool()> cancelled;               // nothing is to be waited for any more
  std::function<bool()> hurry;                   // nor is anything to be given grace
  std::function<void(const std::string&)> note;  // a line for people
};

class ComposeSide {
 public:
  explicit ComposeSide(ComposeSideParts parts);
  ~ComposeSide();

  // Returns once all that the attempt's services depend on is there and ready. Throws PrepareError
  // (infra) with the last lines of what is not, ReleasedBeforeStart when cancelled.
  Task<> bring_up(const Attempt& attempt);
  // How often something has ended that a container of this service cannot outlive: it shares a
  // namespace with it, or is to be restarted with it.
  int shared_falls(const std::string& service) const;

  // The container of a service for one attempt, as `compose run` has it: no ports, a one-off. A
  // fixed address stays, here and below, where no other container of the service can have it.
  compose::DesiredContainer oneoff(const std::string& service, const Attempt& attempt) const;
  // One that is held for the execs of a worker. Published ports stay where there is one worker.
  compose::DesiredContainer held(const std::string& service, int worker) const;
  // An attempt is under way, from here to `forget`.
  void watch(Attempt& attempt);
  void forget(Attempt& attempt);
  // Whether something that its service depends on has ended meanwhile; attempt.ending.dependency
  // then says what. A failed attempt is worth a closer look: the engine may tell of the end later.
  Task<bool> ended(Attempt& attempt);
  void tell(const container::EngineEvent& event);  // another witness

  // Takes the project down. Throws EngineError where the engine is away.
  Task<> close();

 private:
  struct Dependency;
  struct Upkeep;
  // An attempt that is under way: what it depends on, and how often that had fallen before.
  struct Watched {
    std::set<std::string> needs;
    int falls = 0;
  };
  void begin();
  void add_upkeep();
  std::set<std::string> needs_of(const Attempt& attempt) const;
  bool depended_on(const std::string& service) const;
  void settle_address(const std::string& service, container::ContainerSpec& spec) const;
  int falls_of(const std::set<std::string>& services) const;
  Task<> look_closer(Attempt& attempt, const Watched& watched);
  void tell_end(const std::string& id);
  compose::DesiredOptions options() const;

  ComposeSideParts parts_;
  compose::Project project_;        // volumes with names of their own as external ones
  std::shared_ptr<Upkeep> upkeep_;  // also held by the service that keeps it up
  std::map<Attempt*, Watched> watched_;
};

}  // namespace controller
