#include "compose/project.hpp"
#include "controller/cli/compose.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

container::ExecSpec spec_of(const ComposeArguments& from) {
  return {.command = from.command,
          .env = from.environment,
          .user = from.user,
          .working_dir = from.workdir,
          .output = true};
}

// The engine knows of the end a moment after the output has ended.
Task<int> exit_code(container::Engine& engine, const std::string& exec) {
  constexpr int most = 500;
  for (int i = 0; i < most; ++i) {
    const auto state = co_await engine.execs().inspect(exec);
    if (!state.running && state.exit_code) co_return *state.exit_code;
    co_await container::sleep_for(0.01);
  }
  throw CommandError(ExitCode::environment,
                     "the output has ended, but the engine says that the command goes on");
}

Task<int> run_command(container::Engine& engine, const std::string& project,
                      const ComposeArguments& from, Console& console) {
  const auto in = co_await compose::running_container(engine, project, from.service);
  const container::ExecSpec spec = spec_of(from);
  const std::string exec = co_await engine.execs().create(in.id, spec);
  const auto output = co_await engine.execs().start_attached(exec);
  while (const auto chunk = co_await output->next()) {
    auto& to = chunk->stream == container::OutputChunk::Stream::out ? console.out : console.err;
    to << chunk->data << std::flush;
  }
  co_return co_await exit_code(engine, exec);
}

}  // namespace

int compose_exec_command(const Arguments& arguments, Console& console) {
  const ComposeArguments& from = arguments.compose;
  if (from.service.empty() || from.command.empty())
    throw CommandError(ExitCode::usage, "compose exec: write SERVICE COMMAND [ARGUMENT...]");
  const ComposeTarget target = compose_target(arguments, console);
  int code = 0;
  try {
    with_engine([&](container::Engine& engine) -> Task<> {
      code = co_await run_command(engine, target.project, from, console);
    });
  } catch (const compose::NotPossible& error) {
    throw CommandError(ExitCode::environment, error.what());
  }
  return code;
}

}  // namespace controller::cli
