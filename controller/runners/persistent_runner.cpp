#include "controller/runners/persistent_runner.hpp"

#include <csignal>
#include <limits>

#include "campaign/state/files.hpp"
#include "container/labels.hpp"
#include "controller/runners/docker_runner.hpp"
#include "controller/runners/engine_away.hpp"
#include "controller/runners/gpus.hpp"
#include "controller/runners/warmup.hpp"

namespace controller {

namespace fs = std::filesystem;
using campaign::FailureClass;

namespace {

constexpr double start_within = 300, stop_within = 5, kill_within = 30, look_every = 0.1;
constexpr double end_told_within = 1, end_look_every = 0.02;
constexpr int killed = 128 + SIGKILL;

std::string label_of(const std::map<std::string, std::string>& labels, const char* key) {
  const auto found = labels.find(key);
  return found == labels.end() ? "" : found->second;
}

// Until the image's own check is content; without one it serves as soon as it runs.
Task<> healthy(container::Engine& engine, std::string id) {
  for (double step = 0.02;; step = std::min(step * 1.5, 0.5)) {
    const container::ContainerState state = co_await engine.inspect(id);
    const container::HealthState& health = state.health;
    if (health.status == container::Health::none || health.status == container::Health::healthy)
      co_return;
    if (health.status == container::Health::unhealthy)
      throw std::runtime_error("it is unhealthy, held alive and without its own command" +
                               (health.log.empty() ? "" : ": " + health.log.back()));
    co_await container::sleep_for(step);
  }
}

// What the container mounts must be there, and a payload under another uid than ours must get
// through to its own folders; those above stay private.
void lay_out_shared(const campaign::ResultsFolder& results, const Attempt& attempt) {
  for (const SharedFolder& folder : shared_folders(results)) {
    campaign::make_private_folders(folder.here);
    if (attempt.runner->user != "host")
      fs::permissions(folder.here,
                      fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
  }
}

// "" = the devices have room. Their readings are from before the run.
std::string crowded(const std::vector<gpu::Device>& devices, int most_pct) {
  for (const gpu::Device& device : devices) {
    if (!device.memory || device.memory->total == 0) continue;
    const double pct =
        100 * static_cast<double>(device.memory->used) / static_cast<double>(device.memory->total);
    if (pct > most_pct)
      return "leaves GPU " + device.index + " with " + std::to_string(static_cast<int>(pct)) +
             " % of its memory in use (health_check.gpu_memory_threshold_pct: " +
             std::to_string(most_pct) + ")";
  }
  return "";
}

}  // namespace

// A container and what has become of it.
struct PersistentRunner::Held {
  std::unique_ptr<supervise::PersistentContainer> container;
  std::string name, hash;
  bool distrusted = false;
  bool lost_run = false;   // the last run left no outcome
  int incarnation = 0;     // the one that `runs` counts in
  int runs = 0;            // in this incarnation
  int since_look = 0;      // runs since the last look at its health
  int cycle = 0;           // of its last run
  int unhealthy_ends = 0;  // restarts because of its health
  int shared_falls = 0;    // of services that it cannot outlive, before it was made
};

PersistentRunner::PersistentRunner(PersistentRunnerParts parts) : parts_(std::move(parts)) {}
PersistentRunner::~PersistentRunner() = default;

Task<> PersistentRunner::make_ready(Attempt& attempt) { return away_or(ready_now(attempt)); }
Task<> PersistentRunner::warm_up(Attempt& attempt) { return away_or(warm_now(attempt)); }
Task<> PersistentRunner::start(Attempt& attempt) { return away_or(start_now(attempt)); }
Task<> PersistentRunner::adopt(Attempt& attempt) { return away_or(adopt_now(attempt)); }
Task<bool> PersistentRunner::ended(Attempt& attempt) { return away_or(ended_now(attempt)); }
Task<> PersistentRunner::stop(Attempt& attempt, const StopHow& how) {
  return away_or(stop_now(attempt, how));
}
Task<> PersistentRunner::conclude(Attempt& attempt) {
  if (parts_.servers) co_await parts_.servers->conclude(attempt);
}

PersistentRunner::Held& PersistentRunner::held_of(const Attempt& attempt) {
  auto& held = held_[{attempt.service, attempt.worker}];
  if (!held) held = std::make_unique<Held>();
  return *held;
}

DockerSpecRequest PersistentRunner::request(const Attempt& attempt, const Payload& payload) const {
  return {.attempt = &attempt,
          .payload = &payload,
          .site = parts_.site,
          .belonging = &parts_.belonging,
          .home = shared_view(attempt).home};
}

container::OnExit PersistentRunner::exit_of(Attempt& attempt) const {
  return [&attempt, wake = parts_.wake] {
    attempt.exit_seen = true;
    wake->notify();
  };
}

PersistentRunner::Wanted PersistentRunner::wanted(const Attempt& attempt) const {
  const Payload payload = resolve_payload(parts_.payload, attempt, shared_view(attempt));
  DockerSpecRequest asked = request(attempt, payload);
  if (!is_service(attempt))
    return {.spec = held_spec(asked, parts_.results), .files = {}, .emptied = {}};
  compose::DesiredContainer service = parts_.compose->held(attempt.runner->service, attempt.worker);
  compose::make_folders(service.folders);
  asked.service = &service.spec;
  return {.spec = held_spec(asked, parts_.results),
          .files = std::move(service.files),
          .emptied = emptied_reservation(attempt.runner->service, service.spec,
                                         devices_of_client(attempt))};
}

Task<> PersistentRunner::prepare(Attempt& attempt) {
  const Payload payload = resolve_payload(parts_.payload, attempt, shared_view(attempt));
  need_bind_sources(*attempt.runner, payload);
  lay_out_shared(parts_.results, attempt);
  if (is_service(attempt)) co_await away_or(parts_.compose->bring_up(attempt));
  if (parts_.servers) co_await away_or(parts_.servers->prepare(attempt));
}

Task<> PersistentRunner::ready_now(Attempt& attempt) {
  Wanted made = wanted(attempt);
  note_once(attempt, made.emptied);
  Held& held = held_of(attempt);
  if (is_service(attempt)) {
    co_await parts_.compose->bring_up(attempt);
    const int anew = parts_.compose->shared_falls(attempt.runner->service);
    if (held.shared_falls != anew) held.distrusted = held.container != nullptr;
    held.shared_falls = anew;
  }
  co_await renew(held, attempt, made.spec.labels.at(container::label::spec_hash));
  if (!held.container) make_container(held, attempt, std::move(made));
  co_await await_serving(held, attempt);
  held.cycle = attempt.planned.cycle;
  attempt.container_id = held.container->id();
  if (parts_.servers) co_await parts_.servers->make_ready(attempt);
}

// Whether the next run may have the container as it is.
Task<> PersistentRunner::renew(Held& held, const Attempt& attempt, const std::string& hash) {
  if (!held.container) co_return;
  if (held.hash != hash) {
    co_await held.container->remove();
    held.container.reset();
    co_return;
  }
  co_await end_with_its_run(held);
  const campaign::ColdStart& cold = parts_.payload.campaign->cold_start;
  const bool fresh = (cold.force_cold_start || cold.restart_container) && held.runs > 0;
  if (held.distrusted || fresh || co_await unhealthy(held, attempt)) co_await restarted(held);
}

// A run that was killed and left no outcome may have gone with its container, whose own end the
// engine tells a little later.
Task<> PersistentRunner::tell_of_its_container(Attempt& attempt) {
  using Kind = container::Ending::Kind;
  for (double waited = 0; waited < end_told_within; waited += end_look_every) {
    const auto seen = co_await container::look(*parts_.engine, attempt.container_id);
    if (seen.kind != Kind::running) {
      attempt.ending.error = "its container died under it";
      if (seen.kind == Kind::exited)
        attempt.ending.error += " (exit code " + std::to_string(seen.exit_code) +
                                (seen.oom_killed ? ", out of memory)" : ")");
      co_return;
    }
    if (parts_.cancelled()) co_return;
    co_await container::sleep_for(end_look_every);
  }
}

// The same before the next run, which is to have another container.
Task<> PersistentRunner::end_with_its_run(Held& held) {
  const int before = held.container->incarnation();
  const std::string id = held.container->id();
  for (double waited = 0; held.lost_run && waited < end_told_within && !parts_.cancelled();
       waited += end_look_every) {
    if (!held.container->serving() || held.container->incarnation() != before) break;
    const container::Ending seen = co_await container::look(*parts_.engine, id);
    if (seen.kind != container::Ending::Kind::running) held.container->tell_end(id);
    co_await container::sleep_for(end_look_every);
  }
  held.lost_run = false;
}

Task<> PersistentRunner::restarted(Held& held) {
  const int before = held.container->incarnation();
  held.distrusted = false;
  held.container->restart();
  while (held.container->incarnation() == before && !parts_.cancelled()) {
    const supervise::Supervisor* supervisor = parts_.host->find(held.name);
    if (!supervisor || supervisor->spent()) co_return;
    co_await parts_.wake->wait(look_every / 5);
  }
}

// The look between runs: due after so many of them, or when a cycle is entered.
Task<bool> PersistentRunner::unhealthy(Held& held, const Attempt& attempt) {
  const campaign::HealthCheck& check = parts_.payload.campaign->health_check;
  const bool due = check.interval_experiments > 0
                       ? held.since_look >= check.interval_experiments
                       : held.cycle > 0 && attempt.planned.cycle != held.cycle;
  if (!check.enabled || !due || !held.container->serving()) co_return false;
  held.since_look = 0;
  const container::ContainerState state = co_await parts_.engine->inspect(held.container->id());
  const std::string why = state.health.status == container::Health::unhealthy
                              ? "is unhealthy"
                              : crowded(devices_of_client(attempt), check.gpu_memory_threshold_pct);
  if (why.empty()) co_return false;
  ++held.unhealthy_ends;
  parts_.note("container " + held.name + " " + why);
  if (!check.restart_on_failure || held.unhealthy_ends > check.max_restarts)
    throw PrepareError(FailureClass::infra, "container " + held.name + " " + why +
                                                " (health_check.max_restarts: " +
                                                std::to_string(check.max_restarts) + ")");
  co_return true;
}

void PersistentRunner::make_container(Held& held, const Attempt& attempt, Wanted wanted) {
  container::ContainerSpec& spec = wanted.spec;
  const campaign::HealthCheck& check = parts_.payload.campaign->health_check;
  held.name = spec.name;
  held.hash = spec.labels.at(container::label::spec_hash);
  held.runs = held.incarnation = 0;
  held.distrusted = false;
  lay_out_shared(parts_.results, attempt);
  supervise::PersistentContainerParts made;
  made.supervisor = {.name = spec.name,
                     .back_off = supervise::immediate,
                     .max_restarts = check.max_restarts,
                     .window_seconds = std::numeric_limits<double>::infinity()};
  made.service = {.name = spec.name,
                  .restart = check.restart_on_failure ? supervise::Restart::permanent
                                                      : supervise::Restart::temporary,
                  .start_within = start_within,
                  .stop_within = stop_within,
                  .kill_within = kill_within};
  made.container.engine = parts_.engine;
  made.container.ours = [uid = parts_.belonging.uid, name = attempt.service](const auto& labels) {
    return label_of(labels, container::label::uid) == uid &&
           label_of(labels, container::label::service) == name;
  };
  made.container.ready = [engine = parts_.engine](const std::string& id) {
    return healthy(*engine, id);
  };
  made.container.hooks.on_ended = [this](const std::string& id, const supervise::Exit&) {
    for (auto& [attempt_name, live] : live_)
      if (!id.empty() && live.run.container == id && live.attempt) live.attempt->exit_seen = true;
    parts_.wake->notify();
  };
  made.container.spec = std::move(spec);
  made.container.files = std::move(wanted.files);
  held.container = std::make_unique<supervise::PersistentContainer>(*parts_.host, std::move(made));
}

// A container that was given up while the engine was away counts as never made.
Task<> PersistentRunner::forget_if_away(Held& held) {
  std::exception_ptr away;
  try {
    co_await parts_.engine->info();
  } catch (const container::EngineError&) {
    away = std::current_exception();
  }
  if (!away) co_return;
  co_await held.container->remove();
  held.container.reset();
  std::rethrow_exception(away);
}

Task<> PersistentRunner::await_serving(Held& held, const Attempt& attempt) {
  while (!co_await held.container->serving_within(look_every)) {
    if (parts_.cancelled()) throw ReleasedBeforeStart();
    const supervise::Supervisor* supervisor = parts_.host->find(held.name);
    if (supervisor && !supervisor->spent()) continue;
    co_await forget_if_away(held);
    const campaign::HealthCheck& check = parts_.payload.campaign->health_check;
    throw PrepareError(FailureClass::infra,
                       "container " + held.name + " of " + attempt.service + " does not stay up (" +
                           with_gpu_remedy(held.container->last_end()) + "); " +
                           (check.restart_on_failure
                                ? "health_check.max_restarts: " + std::to_string(check.max_restarts)
                                : "health_check.restart_on_failure: false"));
  }
  if (held.incarnation != held.container->incarnation()) held.runs = held.since_look = 0;
  held.incarnation = held.container->incarnation();
}

Task<> PersistentRunner::warm_now(Attempt& attempt) {
  if (attempt.cold || attempt.runner->warmup_command.empty()) co_return;
  const Payload payload = resolve_warmup(parts_.payload, attempt, warmup_view(attempt));
  const DockerSpecRequest asked = request(attempt, payload);
  const campaign::Execution& execution = parts_.payload.campaign->execution;
  const Warmup warmup{.engine = parts_.engine,
                      .wake = parts_.wake,
                      .cancelled = parts_.cancelled,
                      .run_of = [&](int n) { return warmup_run(asked, n); },
                      .container = attempt.container_id,
                      .folder = parts_.results.folder / "warmup" / attempt.name(),
                      .most = execution.warmup_prompts,
                      .seconds = execution.warmup_timeout_seconds.value_or(attempt.runner->timeout),
                      .grace = attempt.grace(),
                      .open_to_all = attempt.runner->user != "host"};
  attempt.notes.push_back(co_await warm(warmup));
}

PersistentRunner::Live& PersistentRunner::live_of(const Attempt& attempt) {
  const auto found = live_.find(attempt.name());
  if (found != live_.end()) return found->second;
  const Payload payload = resolve_payload(parts_.payload, attempt, shared_view(attempt));
  Live live{.run = exec_run(request(attempt, payload))};
  live.run.container = attempt.container_id;
  return live_[attempt.name()] = std::move(live);
}

Task<> PersistentRunner::start_now(Attempt& attempt) {
  Live& live = live_of(attempt);
  live.attempt = &attempt;
  if (is_service(attempt)) parts_.compose->watch(attempt);
  Held& held = held_of(attempt);
  attempt.container_run = ++held.runs;
  ++held.since_look;
  std::string refused;
  container::ExecStarted started;
  try {
    started = co_await container::start_exec(*parts_.engine, live.run,
                                             {.on_exit = exit_of(attempt), .begin = {}});
  } catch (const container::EngineError& error) {
    if (error.unreachable()) throw;
    refused = error.what();
  }
  if (!refused.empty()) {
    attempt.ending.start_failed = true;
    attempt.ending.error = refused;
    attempt.exit_seen = true;
    co_return;
  }
  take(attempt, std::move(started));
}

void PersistentRunner::take(Attempt& attempt, container::ExecStarted started) {
  Live& live = live_.at(attempt.name());
  live.exec = started.exec;
  live.witness = started.witness.get();
  attempt.witness = std::move(started.witness);
  if (attempt.witness) return;
  take_ending(attempt, started.ending);
  attempt.exit_seen = true;
}

Task<> PersistentRunner::adopt_now(Attempt& attempt) {
  attempt.exit_seen = false;
  Live& live = live_of(attempt);
  live.attempt = &attempt;
  if (is_service(attempt)) parts_.compose->watch(attempt);
  take(attempt, co_await container::adopt_exec(*parts_.engine, live.run, exit_of(attempt)));
  Held& held = held_of(attempt);
  if (attempt.witness && !held.container) {
    const auto state = co_await parts_.engine->inspect(attempt.container_id);
    make_container(held, attempt, wanted(attempt));
    held.hash = label_of(state.labels, container::label::spec_hash);
    held.runs = 1;
  }
  if (parts_.servers) co_await parts_.servers->adopt(attempt);
}

Task<bool> PersistentRunner::ended_now(Attempt& attempt) {
  if (attempt.ending.start_failed) co_return true;
  const Live& live = live_of(attempt);
  const auto seen = co_await container::look_exec(*parts_.engine, live.run, live.exec);
  const bool before = seen.kind == container::ExecEnding::Kind::begun_before;
  const bool runs = before || seen.kind == container::ExecEnding::Kind::running;
  if (!runs) take_ending(attempt, seen);
  if (!runs && !attempt.ending.known && seen.exit_code.value_or(killed) == killed)
    co_await tell_of_its_container(attempt);
  if (attempt.ending.start_failed) held_of(attempt).distrusted = true;
  const bool failed = attempt.ending.signal || attempt.ending.exit_code.value_or(0) != 0;
  if (parts_.compose && co_await parts_.compose->ended(attempt)) {
    if (runs) co_await stop_now(attempt, {.grace = attempt.grace(), .hurry = {}});
    co_return true;
  }
  if (parts_.servers && (runs || failed) && co_await parts_.servers->ended(attempt)) {
    if (runs) co_await stop_now(attempt, {.grace = attempt.grace(), .hurry = {}});
    co_return true;
  }
  if (before || (runs && attempt.exit_seen)) co_await adopt_now(attempt);
  co_return !runs;
}

void PersistentRunner::take_ending(Attempt& attempt, const container::ExecEnding& seen) const {
  using Kind = container::ExecEnding::Kind;
  ProcessEnding& ending = attempt.ending;
  ending.outcome = campaign::read_outcome(attempt.paths.ctl);
  ending.known = ending.outcome.has_value();
  ending.start_failed = seen.kind == Kind::start_failed && !ending.known;
  ending.error = device_mismatch(attempt.paths.ctl).value_or(seen.error);
  ending.exit_code.reset();
  ending.signal.reset();
  if (!ending.known) {
    if (ending.error.empty()) ending.error = "its exec is gone and left no outcome";
    return;
  }
  ending.exit_code = ending.outcome->exit_code;
  ending.signal = ending.outcome->signal;
  ending.started_utc = ending.outcome->start_utc;
  ending.finished_utc = ending.outcome->end_utc;
}

Task<> PersistentRunner::stop_now(Attempt& attempt, const StopHow& how) {
  const container::StopLimits limits{.grace = how.grace, .hurry = how.hurry};
  const auto ending = co_await container::stop_exec(*parts_.engine, live_of(attempt).run, limits);
  take_ending(attempt, ending);
}

Task<> PersistentRunner::remove(Attempt& attempt) {
  attempt.witness.reset();
  if (parts_.compose) parts_.compose->forget(attempt);
  const auto live = live_.find(attempt.name());
  if (live != live_.end()) {
    co_await away_or(container::settle_exec(*parts_.engine, live->second.exec));
    live_.erase(attempt.name());
  }
  if (attempt.distrusted) held_of(attempt).distrusted = true;
  if (attempt.started && !attempt.ending.known) held_of(attempt).lost_run = true;
  if (parts_.servers) co_await parts_.servers->remove(attempt);
}

std::map<std::string, std::pair<std::string, int>> PersistentRunner::held() const {
  std::map<std::string, std::pair<std::string, int>> names;
  for (const auto& [whose, held] : held_)
    if (held->container) names[held->name] = whose;
  return names;
}

void PersistentRunner::tell(const container::EngineEvent& event) {
  if (event.action == "die" || event.action == "destroy")
    for (const auto& [key, held] : held_)
      if (held->container) held->container->tell_end(event.id);
  for (const auto& [name, live] : live_)
    if (live.witness && live.attempt && live.attempt->witness) live.witness->tell(event);
}

}  // namespace controller
