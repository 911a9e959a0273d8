#include "controller/runners/warmup.hpp"

#include <cstdio>
#include <limits>

#include "campaign/metrics/warmup.hpp"
#include "campaign/results/results.hpp"
#include "campaign/state/files.hpp"
#include "controller/runners/last_lines.hpp"

namespace controller {

namespace fs = std::filesystem;
using campaign::FailureClass;

namespace {

void make_folder(const Warmup& warmup, const fs::path& folder) {
  fs::remove_all(folder);
  campaign::make_private_folders(folder);
  if (!warmup.open_to_all) return;
  fs::permissions(folder, fs::perms::all);
  fs::permissions(folder.parent_path(),
                  fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec,
                  fs::perm_options::add);
}

enum class Came { to_an_end, out_of_time };

Task<Came> once(const Warmup& warmup, const container::ExecRun& run, double until) {
  const campaign::Clock& clock = campaign::system_clock();
  bool over = false;
  auto started = co_await container::start_exec(*warmup.engine, run,
                                                {.on_exit =
                                                     [&over, wake = warmup.wake] {
                                                       over = true;
                                                       wake->notify();
                                                     },
                                                 .begin = {}});
  if (!started.witness)
    throw PrepareError(FailureClass::infra,
                       "warmup_command could not be started: " + started.ending.error);
  for (;;) {
    const double left = until - clock.boottime();
    if (warmup.cancelled() || left <= 0) {
      co_await container::stop_exec(*warmup.engine, run, {.grace = warmup.grace, .hurry = {}});
      if (warmup.cancelled()) throw ReleasedBeforeStart();
      co_return Came::out_of_time;
    }
    if (over) {
      const auto seen = co_await container::look_exec(*warmup.engine, run, started.exec);
      if (seen.kind != container::ExecEnding::Kind::running) break;
      over = false;
    }
    co_await warmup.wake->wait(std::min(left, 1.0));
  }
  co_return Came::to_an_end;
}

void check(const container::ExecRun& run) {
  const auto outcome = campaign::read_outcome(run.out_here);
  if (!outcome)
    throw PrepareError(FailureClass::infra, "warmup_command was lost with its container");
  if (outcome->exec_errno != 0)
    throw PrepareError(FailureClass::config,
                       "warmup_command could not be executed: " + outcome->exec_error);
  if (outcome->exit_code == 0) return;
  const std::string how = outcome->exit_code ? "exit code " + std::to_string(*outcome->exit_code)
                                             : "signal " + std::to_string(*outcome->signal);
  throw PrepareError(FailureClass::payload, "warmup_command ended with " + how +
                                                "; its output is in " + run.out_here.string() +
                                                last_lines(run.out_here));
}

std::string described(int done, int most, const campaign::WarmupReading& reading) {
  std::string text = "warmup: " + std::to_string(done) + " of " + std::to_string(most);
  if (!reading.variation) return text;
  char variation[32];
  std::snprintf(variation, sizeof variation, " (variation %.3g)", *reading.variation);
  return text + (reading.converged ? ", converged" : ", not converged") + variation;
}

}  // namespace

Task<std::string> warm(const Warmup& warmup) {
  const double until = campaign::system_clock().boottime() + warmup.seconds;
  make_folder(warmup, warmup.folder);
  campaign::WarmupReading reading;
  int done = 0;
  for (bool more = true; more && done < warmup.most;) {
    if (warmup.cancelled()) throw ReleasedBeforeStart();
    container::ExecRun run = warmup.run_of(done + 1);
    run.container = warmup.container;
    make_folder(warmup, run.out_here);
    if (co_await once(warmup, run, until) == Came::out_of_time) break;
    check(run);
    ++done;
    reading = campaign::read_warmup(campaign::AttemptFiles(warmup.folder),
                                    std::numeric_limits<std::int64_t>::max());
    more = !reading.converged;
  }
  co_return described(done, warmup.most, reading);
}

}  // namespace controller
