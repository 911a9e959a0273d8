#include "container/exec.hpp"

#include <algorithm>

#include "container/exec_witness.hpp"

namespace container {

namespace {

namespace fs = std::filesystem;
using Kind = ExecEnding::Kind;

constexpr double settle_limit = 10;    // for the engine to see what the launcher has said
constexpr double launcher_limit = 60;  // for --fence, and for what --stop needs beside its grace
constexpr std::size_t output_limit = 64 << 10;

bool has_outcome(const ExecRun& run) {
  std::error_code ignored;
  return fs::exists(run.out_here / "outcome.json", ignored);
}

ExecSpec spec_of(const ExecRun& run) {
  if (run.launcher.empty()) {
    return {.command = run.command,
            .env = run.env,
            .user = run.user,
            .working_dir = run.working_dir,
            .output = true};
  }
  std::vector<std::string> line = {run.launcher, "--run", run.name, "--out", run.out};
  if (!run.working_dir.empty()) line.insert(line.end(), {"--chdir", run.working_dir});
  line.insert(line.end(), {"--echo", "0"});
  line.insert(line.end(), run.launcher_flags.begin(), run.launcher_flags.end());
  line.emplace_back("--");
  line.insert(line.end(), run.command.begin(), run.command.end());
  return {.command = std::move(line), .env = run.env, .user = run.user, .working_dir = "/"};
}

ExecSpec mode_of(const ExecRun& run, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), run.launcher);
  arguments.insert(arguments.end(), {"--out", run.out});
  return {.command = std::move(arguments), .user = run.user, .working_dir = "/", .output = true};
}

bool runs_attempt(const ExecState& state, const std::string& name) {
  const auto& words = state.arguments;
  const auto flag = std::find(words.begin(), words.end(), "--run");
  return state.running && flag != words.end() && flag + 1 != words.end() && *(flag + 1) == name;
}

Task<std::optional<ExecState>> state_of(Engine& engine, const std::string& exec) {
  if (exec.empty()) co_return std::nullopt;
  try {
    co_return co_await engine.execs().inspect(exec);
  } catch (const EngineError& error) {
    if (!error.not_found()) throw;
  }
  co_return std::nullopt;
}

Task<std::optional<ContainerState>> container_of(Engine& engine, const std::string& id) {
  try {
    co_return co_await engine.inspect(id);
  } catch (const EngineError& error) {
    if (!error.not_found()) throw;
  }
  co_return std::nullopt;
}

Task<bool> container_runs(Engine& engine, const std::string& id) {
  const auto state = co_await container_of(engine, id);
  co_return state &&
      (state->status == ContainerStatus::running || state->status == ContainerStatus::paused);
}

// The engine's word that the exec has ended, which comes a little after the launcher's.
Task<std::optional<ExecState>> settled(Engine& engine, const std::string& exec) {
  constexpr double shortest = 0.001, usual = 0.1, longest = 0.1;
  double waited = 0;
  for (double step = shortest;;) {
    const auto state = co_await state_of(engine, exec);
    if (!state || !state->running || waited > settle_limit) co_return state;
    co_await sleep_for(step);
    waited += step;
    if (waited > usual) step = std::min(step * 1.5, longest);
  }
}

std::string launcher_words(int code) {
  const std::string ended = "the launcher ended with " + std::to_string(code);
  switch (code) {
    case 64:
      return ended + ": it does not understand its flags";
    case 71:
      return ended + ": the system refused it a process or a pipe";
    case 72:
      return ended + ": the GPUs are not the leased ones";
    case 74:
      return ended + ": it cannot write its folder";
    default:
      return ended + " and left no outcome";
  }
}

ExecEnding ending_of(const ExecRun& run, const ExecState& state) {
  ExecEnding ending{.kind = Kind::ended, .exit_code = state.exit_code, .outcome = has_outcome(run)};
  if (run.launcher.empty() || ending.outcome) return ending;
  const int code = state.exit_code.value_or(0);
  std::error_code ignored;
  const bool begun = fs::exists(run.out_here / "begun", ignored);
  ending.kind = code == 125 && begun                       ? Kind::begun_before
                : code == 72 || code == 126 || code == 127 ? Kind::start_failed
                                                           : Kind::lost;
  ending.error =
      ending.kind == Kind::begun_before ? run.name + " was begun before" : launcher_words(code);
  return ending;
}

ExecEnding forgotten(const ExecRun& run, const std::string& why) {
  if (has_outcome(run)) return {.kind = Kind::ended, .outcome = true};
  return {.kind = Kind::lost, .error = why};
}

ExecEnding without_launcher() {
  return {.kind = Kind::lost,
          .error = "the engine has forgotten it, and without the launcher nobody else knows"};
}

// What the launcher itself says of an attempt that the engine knows nothing of.
Task<ExecEnding> ask_launcher(Engine& engine, const ExecRun& run, const std::string& mode) {
  const ExecOutput said =
      co_await run_exec(engine, run.container, mode_of(run, {mode}), launcher_limit);
  if (said.timed_out || said.exit_code > 2)
    throw EngineError(500, "launcher " + mode + " for " + run.name + ": " +
                               (said.timed_out ? "no answer" : said.err + said.out));
  if (said.exit_code == 0) co_return ExecEnding{};
  co_return forgotten(run, said.exit_code == 1 ? "it is gone and left no outcome"
                                               : "it had not begun, and will not");
}

}  // namespace

Task<std::optional<std::string>> find_exec(Engine& engine, const std::string& container,
                                           const std::string& name) {
  const auto there = co_await container_of(engine, container);
  if (!there) co_return std::nullopt;
  for (const std::string& exec : there->execs) {
    const auto state = co_await state_of(engine, exec);
    if (state && runs_attempt(*state, name)) co_return exec;
  }
  co_return std::nullopt;
}

Task<ExecEnding> look_exec(Engine& engine, const ExecRun& run, const std::string& exec) {
  if (!run.launcher.empty() && has_outcome(run)) co_return forgotten(run, "");
  const auto state = co_await state_of(engine, exec);
  if (state && (state->running || !state->exit_code)) co_return ExecEnding{};
  if (state) co_return ending_of(run, *state);
  if (run.launcher.empty()) co_return without_launcher();
  if (has_outcome(run)) co_return forgotten(run, "");
  if (!co_await container_runs(engine, run.container))
    co_return forgotten(run, "its container does not run any more");
  if (co_await find_exec(engine, run.container, run.name)) co_return ExecEnding{};
  co_return co_await ask_launcher(engine, run, "--alive");
}

Task<> settle_exec(Engine& engine, const std::string& exec) { co_await settled(engine, exec); }

Task<ExecStarted> start_exec(Engine& engine, const ExecRun& run, ExecHooks hooks) {
  ExecStarted started;
  const ExecSpec spec = spec_of(run);
  started.exec = co_await engine.execs().create(run.container, spec);
  if (hooks.begin) hooks.begin(started.exec);
  std::optional<EngineError> failure;
  try {
    const ExecWatch watch{.engine = &engine, .run = run, .exec = started.exec};
    if (run.launcher.empty()) {
      auto output = co_await engine.execs().start_attached(started.exec);
      started.witness = co_await watch_output(watch, std::move(output), std::move(hooks.on_exit));
    } else {
      started.witness = co_await watch_exec(watch, std::move(hooks.on_exit));
      co_await engine.execs().start_detached(started.exec);
    }
  } catch (const EngineError& error) {
    if (error.unreachable()) throw;
    failure = error;
  }
  if (!failure) co_return started;
  started.witness.reset();
  started.ending = {.kind = Kind::start_failed, .error = failure->what()};
  co_return started;
}

Task<ExecStarted> adopt_exec(Engine& engine, const ExecRun& run, OnExit on_exit) {
  ExecStarted started;
  if (run.launcher.empty()) {
    started.ending = without_launcher();
    co_return started;
  }
  started.exec = (co_await find_exec(engine, run.container, run.name)).value_or("");
  if (!started.exec.empty()) {
    started.ending = co_await look_exec(engine, run, started.exec);
  } else if (has_outcome(run)) {
    started.ending = forgotten(run, "");
  } else if (!co_await container_runs(engine, run.container)) {
    started.ending = forgotten(run, "its container does not run any more");
  } else {
    started.ending = co_await ask_launcher(engine, run, "--fence");
  }
  if (started.ending.kind != Kind::running) co_return started;
  const ExecWatch watch{.engine = &engine, .run = run, .exec = started.exec};
  started.witness = co_await watch_exec(watch, std::move(on_exit));
  co_return started;
}

namespace {

Task<> stop_by_launcher(Engine& engine, const ExecRun& run, double grace) {
  const ExecSpec spec = mode_of(run, {"--stop", "--grace", std::to_string(grace)});
  const ExecOutput said = co_await run_exec(engine, run.container, spec, grace + launcher_limit);
  if (!said.timed_out && said.exit_code == 0) co_return;
  const bool died = !co_await container_runs(engine, run.container);
  if (died) co_return;
  throw EngineError(500,
                    "stop of " + run.name + ": " +
                        (said.timed_out ? "the launcher did not finish" : said.err + said.out));
}

// Ends when `done` is set; asks for a kill at once when somebody is in a hurry.
Task<> hurry_up(Engine& engine, const ExecRun& run, const StopLimits& limits, const bool& done) {
  bool hurried = !limits.hurry || limits.grace <= 0;
  while (!done) {
    if (!hurried && limits.hurry()) {
      hurried = true;
      co_await stop_by_launcher(engine, run, 0);
    }
    co_await sleep_for(0.02);
  }
}

}  // namespace

Task<ExecEnding> stop_exec(Engine& engine, const ExecRun& run, const StopLimits& limits) {
  if (run.launcher.empty())
    throw EngineError(
        501, "stop of " + run.name + ": without the launcher only a stop of its container ends it");
  if (!co_await container_runs(engine, run.container))
    co_return forgotten(run, "its container does not run any more");
  const auto exec = co_await find_exec(engine, run.container, run.name);
  co_await alongside(stop_by_launcher(engine, run, std::max(limits.grace, 0.0)),
                     [&](const bool& done) { return hurry_up(engine, run, limits, done); });
  if (exec) co_await settled(engine, *exec);
  co_return forgotten(run, "it was stopped before it left an outcome");
}

namespace {

void keep_last(std::string& text, const std::string& more) {
  text += more;
  if (text.size() > output_limit) text.erase(0, text.size() - output_limit);
}

Task<int> drained(Engine& engine, const std::string& exec, ExecOutput& output) {
  const auto stream = co_await engine.execs().start_attached(exec);
  while (const auto chunk = co_await stream->next())
    keep_last(chunk->stream == OutputChunk::Stream::out ? output.out : output.err, chunk->data);
  const auto state = co_await settled(engine, exec);
  if (!state || !state->exit_code)
    throw EngineError(404, "the engine has forgotten exec " + exec.substr(0, 12));
  co_return *state->exit_code;
}

}  // namespace

Task<ExecOutput> run_exec(Engine& engine, const std::string& container, const ExecSpec& spec,
                          double limit) {
  ExecOutput output;
  ExecSpec attached = spec;
  attached.output = true;
  const std::string exec = co_await engine.execs().create(container, attached);
  const auto code = co_await with_timeout(drained(engine, exec, output), limit);
  output.timed_out = !code;
  output.exit_code = code.value_or(0);
  co_return output;
}

}  // namespace container
