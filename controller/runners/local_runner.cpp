#include "controller/runners/local_runner.hpp"

#include <signal.h>

#include <chrono>
#include <filesystem>

#include "campaign/state/files.hpp"
#include "controller/runners/docker_spec.hpp"
#include "controller/runners/gpus.hpp"

namespace controller {

namespace fs = std::filesystem;

namespace {

// With `launch` the payload runs in a container of the user's own: one folder is /campaign inside.
bool in_container(const Attempt& attempt) { return !attempt.runner->launch.empty(); }

void lay_out_exchange(const Attempt& attempt) {
  campaign::make_private_folders(attempt.paths.exchange / "home");
  campaign::make_private_folders(attempt.paths.exchange / "results");
  fs::copy_file(attempt.paths.ctl / "config.yaml", attempt.paths.exchange / "config.yaml",
                fs::copy_options::overwrite_existing);
}

// What the payload left in the exchange folder becomes the attempt's results folder.
void take_exchanged_results(const Attempt& attempt) {
  const fs::path results = attempt.paths.exchange / "results";
  if (!in_container(attempt) || !fs::exists(results)) return;
  fs::remove(attempt.paths.results);
  fs::rename(results, attempt.paths.results);
}

}  // namespace

Task<> LocalRunner::prepare(Attempt& attempt) {
  if (in_container(attempt)) lay_out_exchange(attempt);
  const PayloadView view = in_container(attempt) ? container_view(attempt) : host_view(attempt);
  const Payload payload = resolve_payload(parts_.payload, attempt, view);
  Command command;
  command.argv = launcher_argv(attempt, parts_.launcher, attempt.paths.ctl.string());
  command.argv.insert(command.argv.end() - 1, {"--gate", "--echo", "0"});
  command.argv.insert(command.argv.end(), payload.launch.begin(), payload.launch.end());
  command.argv.insert(command.argv.end(), payload.command.begin(), payload.command.end());
  command.env = payload.env;
  for (const auto& [name, value] : gpu_variables(attempt.devices, GpuNaming::uuids))
    command.env[name] = value;
  const fs::path folder = parts_.payload.campaign->folder;
  command.cwd = payload.workdir.empty() ? folder.string() : (folder / payload.workdir).string();
  command.log = (attempt.paths.ctl / "launcher.log").string();
  Live& live = live_[attempt.name()];
  try {
    live.gate = co_await GatedProcess::spawn(command);
  } catch (const std::system_error& error) {
    throw PrepareError(campaign::FailureClass::infra,
                       std::string("the launcher could not be started: ") + error.what());
  }
  attempt.pid = live.gate.pid();
  attempt.pid_start = process_start_time(attempt.pid);
}

Task<> LocalRunner::watch(Attempt& attempt) {
  live_[attempt.name()].watch = co_await watch_process(attempt.pid, [&attempt, wake = parts_.wake] {
    attempt.exit_seen = true;
    wake->notify();
  });
}

Task<> LocalRunner::start(Attempt& attempt) {
  co_await watch(attempt);
  live_[attempt.name()].gate.open();
}

Task<> LocalRunner::adopt(Attempt& attempt) {
  if (process_alive(attempt.pid, attempt.pid_start))
    co_await watch(attempt);
  else
    attempt.exit_seen = true;
}

Task<bool> LocalRunner::ended(Attempt& attempt) {
  if (process_alive(attempt.pid, attempt.pid_start)) co_return false;
  take_exchanged_results(attempt);
  ProcessEnding& ending = attempt.ending;
  ending.outcome = campaign::read_outcome(attempt.paths.ctl);
  ending.known = ending.outcome.has_value();
  if (!ending.known) {
    ending.error = "its process is gone and left no outcome";
    co_return true;
  }
  ending.exit_code = ending.outcome->exit_code;
  ending.signal = ending.outcome->signal;
  ending.started_utc = ending.outcome->start_utc;
  ending.finished_utc = ending.outcome->end_utc;
  co_return true;
}

Task<> LocalRunner::stop(Attempt& attempt, const StopHow& how) {
  constexpr double give_up = 60, step = 0.05;
  const auto begin = std::chrono::steady_clock::now();
  if (how.grace > 0 && process_alive(attempt.pid, attempt.pid_start))
    kill(static_cast<pid_t>(attempt.pid), SIGTERM);
  while (process_alive(attempt.pid, attempt.pid_start)) {
    const double waited =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (waited >= how.grace || (how.hurry && how.hurry())) kill_descendants(attempt.pid);
    if (waited >= how.grace + give_up)
      throw std::runtime_error(attempt.name() + " was killed and does not die");
    co_await parts_.wake->wait(step);
  }
  co_await ended(attempt);
}

Task<> LocalRunner::remove(Attempt& attempt) {
  const auto live = live_.find(attempt.name());
  if (live == live_.end()) co_return;
  const bool gated = !attempt.started;
  live_.erase(live);
  if (!gated || attempt.pid == 0) co_return;
  co_await watch(attempt);
  while (process_alive(attempt.pid, attempt.pid_start)) co_await parts_.wake->wait(0.05);
  live_.erase(attempt.name());
}

}  // namespace controller
