#include "controller/runners/docker_runner.hpp"

#include <filesystem>

#include "campaign/state/files.hpp"
#include "container/labels.hpp"
#include "controller/runners/engine_away.hpp"
#include "controller/runners/gpus.hpp"

namespace controller {

namespace fs = std::filesystem;

namespace {

bool failed(const ProcessEnding& ending) {
  return ending.signal || ending.exit_code.value_or(0) != 0 || !ending.known;
}

}  // namespace

void need_bind_sources(const campaign::Runner& runner, const Payload& payload) {
  for (std::size_t i = 0; i < runner.volumes.size(); ++i) {
    const campaign::Volume& volume = payload.volumes.at(i);
    std::error_code error;
    if (!volume.source.starts_with('/') || fs::exists(volume.source, error)) continue;
    const bool filled_in = volume.source != runner.volumes[i].source;
    if (filled_in && !error) fs::create_directories(volume.source, error);
    if (filled_in && !error) continue;
    throw PrepareError(campaign::FailureClass::config,
                       "volumes: " + volume.source + ", which is to be " + volume.target +
                           " inside, " +
                           (error ? "cannot be used: " + error.message() : "is not there") +
                           "; correct the path, or make it before the campaign starts");
  }
}

container::OnExit DockerRunner::exit_of(Attempt& attempt) {
  return [&attempt, wake = parts_.wake] {
    attempt.exit_seen = true;
    wake->notify();
  };
}

Task<> DockerRunner::prepare(Attempt& attempt) { return away_or(prepare_now(attempt)); }
Task<> DockerRunner::start(Attempt& attempt) { return away_or(start_now(attempt)); }
Task<> DockerRunner::adopt(Attempt& attempt) { return away_or(adopt_now(attempt)); }
Task<bool> DockerRunner::ended(Attempt& attempt) { return away_or(ended_now(attempt)); }
Task<> DockerRunner::stop(Attempt& attempt, const StopHow& how) {
  return away_or(stop_now(attempt, how));
}
Task<> DockerRunner::make_ready(Attempt& attempt) {
  if (is_service(attempt)) co_await away_or(parts_.compose->bring_up(attempt));
  if (parts_.servers) co_await away_or(parts_.servers->make_ready(attempt));
}
Task<> DockerRunner::warm_up(Attempt&) { co_return; }
Task<> DockerRunner::conclude(Attempt& attempt) {
  if (parts_.servers) co_await parts_.servers->conclude(attempt);
}

Task<> DockerRunner::prepare_now(Attempt& attempt) {
  const Payload payload = resolve_payload(parts_.payload, attempt, container_view(attempt));
  need_bind_sources(*attempt.runner, payload);
  if (is_service(attempt)) co_await parts_.compose->bring_up(attempt);
  if (parts_.servers) co_await parts_.servers->prepare(attempt);
  co_await create(attempt, payload);
  attempt.witness =
      co_await container::watch_first_exit(*parts_.engine, attempt.container_id, exit_of(attempt));
}

Task<> DockerRunner::create(Attempt& attempt, const Payload& payload) {
  DockerSpecRequest request{.attempt = &attempt,
                            .payload = &payload,
                            .site = parts_.site,
                            .belonging = &parts_.belonging};
  compose::DesiredContainer service;
  if (is_service(attempt)) {
    service = parts_.compose->oneoff(attempt.runner->service, attempt);
    compose::make_folders(service.folders);
    request.service = &service.spec;
    note_once(attempt, emptied_reservation(attempt.runner->service, service.spec,
                                           devices_of_client(attempt)));
  }
  const container::ContainerSpec spec = docker_spec(request);
  const auto ours = [&](const std::map<std::string, std::string>& labels) {
    const auto is = [&](const char* key, const std::string& value) {
      const auto found = labels.find(key);
      return found != labels.end() && found->second == value;
    };
    return is(container::label::uid, parts_.belonging.uid) &&
           is(container::label::run, attempt.run) &&
           is(container::label::attempt, std::to_string(attempt.number));
  };
  attempt.container_id = co_await container::create_fenced(*parts_.engine, spec, ours);
  co_await container::put_files(*parts_.engine, attempt.container_id, service.files);
}

void DockerRunner::tell(const container::EngineEvent& event) {
  const auto found = watched_.find(event.id);
  if (found == watched_.end()) return;
  Watched& watched = found->second;
  if (event.action == "start") watched.started = true;
  if (event.action == "oom") watched.oom = true;
  if (event.action != "die" && event.action != "destroy") return;
  const auto code = event.attributes.find("exitCode");
  if (code != event.attributes.end()) watched.exit_code = std::atoi(code->second.c_str());
  watched.attempt->exit_seen = true;
  parts_.wake->notify();
}

// An end without a doubt needs no inspect, which the engine answers only once it has cleaned up
// after the container (5 to 10 ms): start and death were seen on the event stream, the code is 0,
// and the launcher's outcome says the same.
std::optional<container::Ending> DockerRunner::told_ending(const Attempt& attempt) const {
  const auto found = watched_.find(attempt.container_id);
  if (found == watched_.end() || !found->second.started || found->second.exit_code != 0)
    return std::nullopt;
  const auto outcome = campaign::read_outcome(attempt.paths.ctl);
  if (!outcome || outcome->exit_code != 0) return std::nullopt;
  return container::Ending{.kind = container::Ending::Kind::exited,
                           .oom_killed = found->second.oom,
                           .started_utc = outcome->start_utc,
                           .finished_utc = outcome->end_utc};
}

Task<> DockerRunner::start_now(Attempt& attempt) {
  watched_[attempt.container_id] = {.attempt = &attempt};
  if (is_service(attempt)) parts_.compose->watch(attempt);
  auto started = co_await container::start_under(*parts_.engine, attempt.container_id,
                                                 std::move(attempt.witness));
  attempt.witness = std::move(started.witness);
  if (!attempt.witness) {
    take_ending(attempt, started.ending);
    attempt.exit_seen = true;
  }
}

// One that was only created may lack its files: its maker died in between.
Task<> DockerRunner::take_up_service(Attempt& attempt) {
  parts_.compose->watch(attempt);
  const auto service = parts_.compose->oneoff(attempt.runner->service, attempt);
  if (service.files.empty()) co_return;
  const auto state = co_await parts_.engine->inspect(attempt.container_id);
  if (state.status == container::ContainerStatus::created)
    co_await container::put_files(*parts_.engine, attempt.container_id, service.files);
}

Task<> DockerRunner::adopt_now(Attempt& attempt) {
  attempt.exit_seen = false;
  watched_[attempt.container_id] = {.attempt = &attempt};
  if (is_service(attempt)) co_await take_up_service(attempt);
  auto started =
      co_await container::adopt_watched(*parts_.engine, attempt.container_id, exit_of(attempt));
  attempt.witness = std::move(started.witness);
  if (started.ending.started_utc > 0) attempt.ending.started_utc = started.ending.started_utc;
  if (!attempt.witness) attempt.exit_seen = true;
  if (parts_.servers) co_await parts_.servers->adopt(attempt);
}

Task<bool> DockerRunner::ended_now(Attempt& attempt) {
  if (const auto told = told_ending(attempt)) {
    take_ending(attempt, *told);
    if (parts_.compose) co_await parts_.compose->ended(attempt);
    co_return true;
  }
  const container::Ending ending = co_await container::look(*parts_.engine, attempt.container_id);
  const bool runs = ending.kind == container::Ending::Kind::running;
  if (!runs && !attempt.ending.start_failed) take_ending(attempt, ending);
  if (parts_.compose && co_await parts_.compose->ended(attempt)) {
    if (runs) co_await stop_now(attempt, {.grace = attempt.grace(), .hurry = {}});
    co_return true;
  }
  if (parts_.servers && (runs || failed(attempt.ending)) &&
      co_await parts_.servers->ended(attempt)) {
    if (runs) co_await stop_now(attempt, {.grace = attempt.grace(), .hurry = {}});
    co_return true;
  }
  if (runs && attempt.exit_seen) co_await adopt_now(attempt);
  co_return !runs;
}

void DockerRunner::take_ending(Attempt& attempt, const container::Ending& seen) const {
  using Kind = container::Ending::Kind;
  ProcessEnding& ending = attempt.ending;
  const bool launched = parts_.site->images.empty() || fs::exists(attempt.paths.ctl / "begun");
  ending.outcome = campaign::read_outcome(attempt.paths.ctl);
  ending.known = seen.kind == Kind::exited || ending.outcome.has_value();
  ending.start_failed = seen.kind == Kind::start_failed;
  ending.oom_killed = seen.oom_killed;
  ending.error = seen.kind == Kind::gone && !ending.outcome
                     ? "its container is gone from the engine"
                     : seen.error;
  ending.started_utc = seen.started_utc;
  ending.finished_utc = seen.finished_utc;
  ending.exit_code = seen.exit_code;
  ending.signal.reset();
  if (ending.outcome) {
    ending.exit_code = ending.outcome->exit_code;
    ending.signal = ending.outcome->signal;
    if (ending.started_utc == 0) ending.started_utc = ending.outcome->start_utc;
    if (ending.finished_utc == 0) ending.finished_utc = ending.outcome->end_utc;
  } else if (launched && ending.known && seen.exit_code == 0) {
    ending.known = false;
    ending.error = "the container ended without an outcome of the launcher";
  }
  if (ending.start_failed) ending.error = with_gpu_remedy(ending.error);
  if (const auto wrong = device_mismatch(attempt.paths.ctl); wrong && !ending.outcome) {
    ending.start_failed = true;
    ending.error = *wrong;
    ending.exit_code.reset();
  }
}

Task<> DockerRunner::stop_now(Attempt& attempt, const StopHow& how) {
  const container::StopLimits limits{.grace = how.grace, .hurry = how.hurry};
  const container::Ending ending =
      co_await container::stop_verified(*parts_.engine, attempt.container_id, limits);
  take_ending(attempt, ending);
}

Task<> DockerRunner::remove(Attempt& attempt) {
  attempt.witness.reset();
  watched_.erase(attempt.container_id);
  if (parts_.compose) parts_.compose->forget(attempt);
  if (parts_.servers) co_await parts_.servers->remove(attempt);
  if (!attempt.container_id.empty())
    co_await away_or(parts_.engine->remove(attempt.container_id, true));
}

}  // namespace controller
