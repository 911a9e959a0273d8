#include "controller/runners/compose_side.hpp"

#include <limits>

#include "campaign/state/files.hpp"
#include "compose/graph.hpp"
#include "container/digest.hpp"
#include "container/gpu.hpp"
#include "container/labels.hpp"
#include "controller/errors.hpp"
#include "controller/runners/engine_away.hpp"
#include "controller/supervise/async_executor.hpp"
#include "controller/supervise/log_pump.hpp"

namespace controller {

using campaign::FailureClass;
using supervise::ServiceContext;

namespace {

constexpr double condition_deadline = 600;  // seconds, for each condition of a dependency
constexpr double look_every = 0.1, drain_within = 5, day = 86400;

std::string upkeep_name(const compose::Project& project) { return "compose " + project.name; }

bool has_own_name(const compose::Project& project, const compose::Volume& volume) {
  return !volume.external && volume.name != project.name + "_" + volume.key;
}

compose::Project without_stores(compose::Project project) {
  std::erase_if(project.volumes,
                [&](const auto& entry) { return has_own_name(project, entry.second); });
  return project;
}

std::string fall_text(const std::string& service, const container::Ending& ending) {
  if (ending.kind == container::Ending::Kind::gone) return service + " is gone";
  return service + " ended with exit code " + std::to_string(ending.exit_code) +
         (ending.oom_killed ? ", out of memory" : "");
}

std::string failure_text(const compose::Execution& execution) {
  return execution.failure + (execution.logs.empty() ? "" : "; its last lines: " + execution.logs);
}

}  // namespace

// A container of a service that others depend on, while it is watched.
struct ComposeSide::Dependency {
  std::string service, id;
  std::unique_ptr<container::ExitWitness> witness;
  bool told = false;  // to have ended, or to be unhealthy
};

// What keeps the project up: the body of a service, which falls with any of the dependencies and
// makes good for them when it is begun again.
struct ComposeSide::Upkeep : std::enable_shared_from_this<Upkeep> {
  const ComposeSideParts* parts = nullptr;
  const compose::Project* project = nullptr;
  compose::UpRequest request;
  ServiceContext* context = nullptr;
  bool serving = false;
  bool made = false;                 // networks and volumes are there
  std::map<std::string, int> falls;  // by service
  std::string last_fall, last_end;
  std::set<std::string> followed;                  // containers whose output is copied, by id
  std::map<std::string, Dependency> dependencies;  // by name of the container
  std::map<std::string, std::unique_ptr<supervise::LogPump>> logs;  // the same
  std::function<void()> on_fall;

  Task<> keep_up(ServiceContext& its_context) {
    try {
      co_await keep_up_or_fall(its_context);
    } catch (const std::exception& error) {
      last_end = error.what();
      throw;
    }
  }

  Task<> keep_up_or_fall(ServiceContext& its_context) {
    const Present present(context, its_context);
    serving = false;
    dependencies.clear();
    co_await bring_up(its_context);
    if (its_context.stopping()) co_return;
    serving = made = true;
    its_context.ready();
    parts->wake->notify();
    co_await stay(its_context);
  }

  // The context of this incarnation, for as long as there is one.
  class Present {
   public:
    Present(ServiceContext*& slot, ServiceContext& context) : slot_(slot) { slot_ = &context; }
    Present(const Present&) = delete;
    Present& operator=(const Present&) = delete;
    ~Present() { slot_ = nullptr; }

   private:
    ServiceContext*& slot_;
  };

  // An engine that is away is nobody's failure: it is waited for.
  Task<> bring_up(ServiceContext& its_context) {
    constexpr double pause = 1;
    while (!its_context.stopping()) {
      try {
        co_await make_stores();
        const compose::UpResult up = co_await compose::project_up(*parts->engine, request);
        tell_warnings(up);
        if (up.execution.ok) co_return co_await watch_all(up.now);
        co_await parts->engine->info();
        if (!its_context.stopping() && !parts->cancelled())
          throw std::runtime_error(failure_text(up.execution));
      } catch (const container::EngineError& error) {
        if (!error.unreachable()) throw;
      }
      co_await its_context.wait(pause);
    }
  }

  void tell_warnings(const compose::UpResult& up) {
    if (made) return;
    for (const compose::Strings* all : {&up.plan.warnings, &up.execution.warnings})
      for (const std::string& warning : *all) parts->note(warning);
  }

  Task<> make_stores() {
    const auto wanted = compose::desired(*parts->project, {});
    for (const auto& volume : wanted.volumes) {
      const compose::Volume& said = parts->project->volumes.at(volume.key);
      if (!has_own_name(*parts->project, said)) continue;
      container::VolumeSpec spec = volume.spec;
      spec.labels = said.labels;
      co_await parts->engine->volumes().create(spec);
    }
  }

  Task<> watch_all(const compose::Observed& now) {
    const auto names = compose::dependencies_of(*project, request.choices.services);
    for (const auto& seen : now.containers) {
      const bool held = seen.labels.contains(container::label::service) || seen.oneoff;
      if (held || !names.contains(seen.service)) continue;
      follow_log(seen);
      if (seen.status != container::ContainerStatus::running) continue;
      Dependency& one = dependencies[seen.name];
      one = {.service = seen.service, .id = seen.id};
      co_await watch(one);
    }
  }

  Task<> watch(Dependency& one) {
    one.told = false;
    auto started =
        co_await container::adopt_watched(*parts->engine, one.id, [self = weak_from_this(), &one] {
          if (const auto upkeep = self.lock()) upkeep->tell(one);
        });
    one.witness = std::move(started.witness);
    if (!one.witness) tell(one);
  }

  void tell(Dependency& one) {
    one.told = true;
    if (context) context->wake();
  }

  void follow_log(const compose::ObservedContainer& seen) {
    auto& pump = logs[seen.name];
    if (!pump) {
      pump = std::make_unique<supervise::LogPump>(supervise::LogPumpParts{
          .engine = parts->engine, .file = (parts->logs / (seen.name + ".log")).string()});
      std::vector<supervise::Service> services;
      services.push_back({.policy = {.name = "pump"},
                          .executor = std::make_unique<supervise::AsyncExecutor>(
                              parts->host->io(), pump->body(), supervise::Ready::when_told)});
      parts->host->add({.name = seen.name + " log", .max_restarts = std::nullopt},
                       std::move(services));
    }
    if (followed.insert(seen.id).second) pump->follow(seen.id);
  }

  // Until one of them has ended, or is unhealthy: then it goes, and the next incarnation of this
  // service makes it anew.
  Task<> stay(ServiceContext& its_context) {
    while (!its_context.stopping()) {
      bool in_doubt = false;
      for (auto& [name, one] : dependencies) {
        if (one.told) co_await look_at(name, one);
        in_doubt |= one.told;
      }
      co_await its_context.wait(in_doubt ? look_every : 60);
    }
  }

  Task<> look_at(const std::string& name, Dependency& one) {
    std::string fall;
    try {
      const container::Ending ending = co_await container::look(*parts->engine, one.id);
      if (ending.kind != container::Ending::Kind::running) fall = fall_text(one.service, ending);
      if (fall.empty() && co_await is_unhealthy(one)) fall = one.service + " is unhealthy";
    } catch (const container::EngineError& error) {
      if (!error.unreachable()) throw;
      co_return;  // looked at again until the engine is back
    }
    if (fall.empty()) co_return co_await watch(one);
    ++falls[one.service];
    last_fall = fall;
    serving = false;
    on_fall();
    co_await logs.at(name)->drained(one.id, drain_within);
    co_await parts->engine->remove(one.id, true);
    throw std::runtime_error(fall);
  }

  Task<bool> is_unhealthy(const Dependency& one) {
    const auto state = co_await parts->engine->inspect(one.id);
    co_return state.health.status == container::Health::unhealthy;
  }
};

bool is_service(const Attempt& attempt) {
  return attempt.runner->type == campaign::RunnerType::compose;
}

Task<> refuse_foreign(container::Engine& engine, const compose::Project& project,
                      const std::string& uid) {
  try {
    const compose::Project own = without_stores(project);
    const compose::Desired wanted = compose::desired(own, {});
    const compose::Observed seen = co_await compose::observe_for(engine, wanted);
    compose::plan_up(own, wanted, seen, {.owner = {.value = uid}});
  } catch (const compose::ForeignObject& error) {
    throw CommandError(ExitCode::environment, error.what());
  } catch (const compose::NotPossible& error) {
    throw CommandError(ExitCode::usage, error.what());
  }
}

ComposeSide::ComposeSide(ComposeSideParts parts)
    : parts_(std::move(parts)), project_(*parts_.project) {
  for (auto& [key, volume] : project_.volumes)
    if (has_own_name(*parts_.project, volume)) volume.external = true;
}

ComposeSide::~ComposeSide() = default;

compose::DesiredOptions ComposeSide::options() const {
  compose::DesiredOptions made{.labels = owner_labels(parts_.belonging)};
  for (const auto& [name, image] : parts_.site->images) made.image_ids[name] = image.info.id;
  return made;
}

void ComposeSide::begin() {
  if (upkeep_) return;
  campaign::make_private_folders(parts_.logs);
  upkeep_ = std::make_shared<Upkeep>();
  Upkeep& upkeep = *upkeep_;
  upkeep.parts = &parts_;
  upkeep.project = &project_;
  upkeep.request = {.project = &project_, .desired = options(), .note = parts_.note};
  upkeep.request.desired.adjust = [told = std::make_shared<std::set<std::string>>(), this](
                                      const compose::Service& service,
                                      container::ContainerSpec& spec) {
    spec.restart = {};
    if (container::without_gpus(spec) && depended_on(service.name) &&
        told->insert(service.name).second)
      parts_.note("service " + service.name +
                  " reserves GPUs and gets none: what runs depend on has no "
                  "lease; make it the `server` of the runs");
    spec.labels[container::label::dependency] = service.name;
  };
  upkeep.request.choices = {.services = parts_.in_use,
                            .dependencies_only = true,
                            .condition_deadline = condition_deadline,
                            .owner = {.value = parts_.belonging.uid}};
  upkeep.request.executor.give_up = [this] {
    return parts_.cancelled() || (upkeep_->context && upkeep_->context->stopping());
  };
  upkeep.on_fall = [this] {
    for (const auto& [attempt, watched] : watched_) attempt->exit_seen = true;
    parts_.wake->notify();
  };
  add_upkeep();
}

void ComposeSide::add_upkeep() {
  const supervise::ServiceBody body = [upkeep = upkeep_](ServiceContext& context) {
    return upkeep->keep_up(context);
  };
  const campaign::HealthCheck& check = parts_.health;
  std::vector<supervise::Service> services;
  services.push_back(
      {.policy = {.name = "dependencies",
                  .restart = check.restart_on_failure ? supervise::Restart::permanent
                                                      : supervise::Restart::temporary,
                  .start_within = day,  // each condition has its own deadline
                  .stop_within = 30,
                  .kill_within = 10},
       .executor = std::make_unique<supervise::AsyncExecutor>(parts_.host->io(), body,
                                                              supervise::Ready::when_told)});
  parts_.host->add({.name = upkeep_name(project_),
                    .back_off = supervise::immediate,
                    .max_restarts = check.max_restarts,
                    .window_seconds = std::numeric_limits<double>::infinity()},
                   std::move(services));
}

std::set<std::string> ComposeSide::needs_of(const Attempt& attempt) const {
  compose::Strings services = {attempt.runner->service};
  if (attempt.runner->server)
    if (std::string server = server_service(*attempt.runner); !server.empty())
      services.push_back(std::move(server));
  return compose::dependencies_of(project_, services);
}

Task<> ComposeSide::bring_up(const Attempt& attempt) {
  begin();
  const bool needs = !needs_of(attempt).empty();
  while (!upkeep_->serving && (needs || !upkeep_->made)) {
    if (parts_.cancelled()) throw ReleasedBeforeStart();
    const supervise::Supervisor* supervisor = parts_.host->find(upkeep_name(project_));
    if (!supervisor || supervisor->spent())
      throw PrepareError(
          FailureClass::infra,
          "what its service depends on does not stay up (" + upkeep_->last_end + "); " +
              (parts_.health.restart_on_failure
                   ? "health_check.max_restarts: " + std::to_string(parts_.health.max_restarts)
                   : "health_check.restart_on_failure: false"));
    co_await parts_.wake->wait(look_every);
  }
}

int ComposeSide::shared_falls(const std::string& service) const {
  const compose::Service& said = project_.services.at(service);
  int falls = 0;
  for (const auto& [name, count] : upkeep_->falls) {
    const auto dependency = said.depends_on.find(name);
    const bool shared = said.network_mode == "service:" + name || said.ipc == "service:" + name ||
                        said.pid == "service:" + name ||
                        (dependency != said.depends_on.end() && dependency->second.restart);
    falls += shared ? count : 0;
  }
  return falls;
}

bool ComposeSide::depended_on(const std::string& service) const {
  return compose::dependencies_of(project_, parts_.in_use).contains(service);
}

// Two cannot have the same one at once.
void ComposeSide::settle_address(const std::string& service, container::ContainerSpec& spec) const {
  if (parts_.alone.contains(service) && !depended_on(service)) return;
  spec.mac_address.clear();
  for (auto& network : spec.networks) {
    network.link_local_ips.clear();
    for (std::string* address : {&network.ipv4, &network.ipv6, &network.mac_address})
      address->clear();
  }
}

compose::DesiredContainer ComposeSide::oneoff(const std::string& service,
                                              const Attempt& attempt) const {
  const std::string whose = parts_.belonging.uid + " " + attempt.name() + " " + service;
  compose::DesiredContainer made = compose::desired_oneoff(
      project_, service, {.slug = container::sha256_hex(whose), .common = options()});
  // Its own name, which it answers to anyway, is given by its runner.
  for (auto& network : made.spec.networks) network.aliases.clear();
  settle_address(service, made.spec);
  return made;
}

compose::DesiredContainer ComposeSide::held(const std::string& service, int worker) const {
  const int before = depended_on(service) ? project_.services.at(service).replicas : 0;
  compose::DesiredContainer made =
      compose::desired_container(project_, service, before + worker + 1, options());
  if (parts_.workers > 1 || before > 0) made.spec.ports.clear();
  settle_address(service, made.spec);
  // The name of the service is that of the one that others depend on.
  if (before > 0)
    for (auto& network : made.spec.networks) network.aliases.clear();
  return made;
}

int ComposeSide::falls_of(const std::set<std::string>& services) const {
  int falls = 0;
  for (const auto& [name, count] : upkeep_->falls) falls += services.contains(name) ? count : 0;
  return falls;
}

void ComposeSide::watch(Attempt& attempt) {
  begin();
  const std::set<std::string> needs = needs_of(attempt);
  watched_.emplace(&attempt, Watched{.needs = needs, .falls = falls_of(needs)});
}

void ComposeSide::forget(Attempt& attempt) { watched_.erase(&attempt); }

Task<bool> ComposeSide::ended(Attempt& attempt) {
  const auto found = watched_.find(&attempt);
  if (found == watched_.end()) co_return false;
  const Watched watched = found->second;
  const bool failed = attempt.ending.signal || attempt.ending.exit_code.value_or(0) != 0;
  if (failed) co_await look_closer(attempt, watched);
  if (falls_of(watched.needs) != watched.falls) attempt.ending.dependency = upkeep_->last_fall;
  co_return attempt.ending.dependency.has_value();
}

Task<> ComposeSide::look_closer(Attempt& attempt, const Watched& watched) {
  std::map<std::string, std::string> ids;  // those of the upkeep may go while an engine is asked
  for (const auto& [name, one] : upkeep_->dependencies)
    if (watched.needs.contains(one.service)) ids[one.id] = one.service;
  for (const auto& [id, service] : ids) {
    const auto seen = co_await container::look(*parts_.engine, id);
    if (seen.kind == container::Ending::Kind::running) continue;
    attempt.ending.dependency = fall_text(service, seen);
    tell_end(id);
  }
}

void ComposeSide::tell_end(const std::string& id) {
  for (auto& [name, one] : upkeep_->dependencies)
    if (one.id == id) upkeep_->tell(one);
}

void ComposeSide::tell(const container::EngineEvent& event) {
  if (!upkeep_) return;
  const bool bad = event.action == "die" || event.action == "destroy" ||
                   event.action == "health_status: unhealthy";
  if (bad) tell_end(event.id);
}

Task<> ComposeSide::close() {
  if (!upkeep_) co_return;
  compose::DownRequest request{
      .project = project_.name,
      .choices = {.remove_volumes = true, .owner = {.value = parts_.belonging.uid}}};
  request.executor.give_up = parts_.hurry;
  const compose::DownResult down = co_await compose::project_down(*parts_.engine, request);
  if (!down.execution.ok) parts_.note("compose " + project_.name + ": " + down.execution.failure);
}

}  // namespace controller
