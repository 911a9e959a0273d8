#include "controller/runners/docker_runner.hpp"

#include <filesystem>

#include "campaign/state/files.hpp"
#include "container/labels.hpp"

namespace controller {

namespace fs = std::filesystem;

namespace {

// An engine that does not answer is not a failure of the attempt.
Task<> away_or(Task<> verb) {
  try {
    co_await std::move(verb);
  } catch (const container::EngineError& error) {
    if (error.unreachable()) throw EngineAway(error.what());
    throw;
  }
}

void make_bind_sources(const Payload& payload) {
  for (const campaign::Volume& volume : payload.volumes)
    if (volume.source.starts_with('/') && !fs::exists(volume.source))
      fs::create_directories(volume.source);
}

}  // namespace

container::OnExit DockerRunner::exit_of(Attempt& attempt) {
  return [&attempt, wake = parts_.wake] {
    attempt.exit_seen = true;
    wake->notify();
  };
}

Task<> DockerRunner::prepare(Attempt& attempt) { return away_or(prepare_now(attempt)); }
Task<> DockerRunner::start(Attempt& attempt) { return away_or(start_now(attempt)); }
Task<> DockerRunner::adopt(Attempt& attempt) { return away_or(adopt_now(attempt)); }
Task<> DockerRunner::stop(Attempt& attempt, const StopHow& how) {
  return away_or(stop_now(attempt, how));
}

Task<> DockerRunner::prepare_now(Attempt& attempt) {
  const Payload payload = resolve_payload(parts_.payload, attempt, container_view(attempt));
  make_bind_sources(payload);
  const DockerSpecRequest request{.attempt = &attempt,
                                  .payload = &payload,
                                  .site = parts_.site,
                                  .belonging = &parts_.belonging};
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
  attempt.witness =
      co_await container::watch_first_exit(*parts_.engine, attempt.container_id, exit_of(attempt));
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
  auto started = co_await container::start_under(*parts_.engine, attempt.container_id,
                                                 std::move(attempt.witness));
  attempt.witness = std::move(started.witness);
  if (!attempt.witness) {
    take_ending(attempt, started.ending);
    attempt.exit_seen = true;
  }
}

Task<> DockerRunner::adopt_now(Attempt& attempt) {
  attempt.exit_seen = false;
  watched_[attempt.container_id] = {.attempt = &attempt};
  auto started =
      co_await container::adopt_watched(*parts_.engine, attempt.container_id, exit_of(attempt));
  attempt.witness = std::move(started.witness);
  if (started.ending.started_utc > 0) attempt.ending.started_utc = started.ending.started_utc;
  if (!attempt.witness) attempt.exit_seen = true;
}

Task<bool> DockerRunner::ended(Attempt& attempt) {
  try {
    co_return co_await ended_now(attempt);
  } catch (const container::EngineError& error) {
    if (!error.unreachable()) throw;
    throw EngineAway(error.what());
  }
}

Task<bool> DockerRunner::ended_now(Attempt& attempt) {
  if (const auto told = told_ending(attempt)) {
    take_ending(attempt, *told);
    co_return true;
  }
  const container::Ending ending = co_await container::look(*parts_.engine, attempt.container_id);
  if (ending.kind == container::Ending::Kind::running) {
    if (attempt.exit_seen) co_await adopt_now(attempt);
    co_return false;
  }
  if (!attempt.ending.start_failed) take_ending(attempt, ending);
  co_return true;
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
  if (!attempt.container_id.empty())
    co_await away_or(parts_.engine->remove(attempt.container_id, true));
}

}  // namespace controller
