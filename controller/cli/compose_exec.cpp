#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "compose/project.hpp"
#include "controller/cli/compose.hpp"
#include "controller/cli/terminal.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

namespace asio = boost::asio;

constexpr double for_ever = 1e8;

// A script that runs this in a loop over its own input keeps that input: only a terminal is handed
// on unasked.
container::ExecSpec spec_of(const ComposeArguments& from, const Console& console) {
  const bool typed = input_is_terminal();
  return {.command = from.command,
          .env = from.environment,
          .user = from.user,
          .working_dir = from.workdir,
          .output = true,
          .input = typed || from.interactive,
          .terminal = typed && console.out_is_terminal && !from.no_terminal};
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

Task<> copy_output(container::OutputStream& output, Console& console) {
  while (const auto chunk = co_await output.next()) {
    auto& to = chunk->stream == container::OutputChunk::Stream::out ? console.out : console.err;
    to << chunk->data << std::flush;
  }
}

// A command that has ended, or has closed its input, takes no more; what it says still counts.
Task<> copy_input(container::ExecStream& to) {
  StandardInput input(co_await asio::this_coro::executor);
  try {
    for (;;) {
      const std::string bytes = co_await input.next();
      if (bytes.empty()) break;
      co_await to.write(bytes);
    }
    to.close_input();
  } catch (const container::EngineError&) {
  }
  co_await container::sleep_for(for_ever);
}

// An engine refuses the size of a terminal whose command is only about to start.
Task<> set_size(container::Engine& engine, const std::string& exec) {
  constexpr int most = 50;
  const container::TerminalSize size = terminal_size();
  if (size.rows == 0 || size.columns == 0) co_return;
  for (int i = 0; i < most; ++i) {
    bool set = true;
    try {
      co_await engine.execs().resize(exec, size);
    } catch (const container::EngineError&) {
      set = false;
    }
    if (set) co_return;
    co_await container::sleep_for(0.01);
  }
}

// Raw, and no signal ends this program before it is as it was.
struct TakenTerminal {
  explicit TakenTerminal(const asio::any_io_executor& executor)
      : signals(executor, SIGWINCH, SIGTERM, SIGHUP) {
    signals.add(SIGINT);
    signals.add(SIGQUIT);
    raw.emplace();
  }
  asio::signal_set signals;
  std::optional<RawTerminal> raw;  // goes first
};

struct Session {
  container::Engine& engine;
  const std::string& exec;
  const container::ExecSpec& spec;
  Console& console;
};

// Hands on the terminal's size until a signal comes that ends this program.
Task<> watch_terminal(const Session& session, TakenTerminal& terminal, int& ended_by) {
  int signal = SIGWINCH;
  while (signal == SIGWINCH) {
    co_await set_size(session.engine, session.exec);
    signal = co_await terminal.signals.async_wait(asio::use_awaitable);
  }
  ended_by = signal;
}

Task<> talk(const Session& session, container::ExecStream& stream) {
  co_await container::finished_before(copy_output(stream, session.console), copy_input(stream));
}

// The exit code of the command; with a terminal, of the signal that ended this before.
Task<int> run_interactive(Session session) {
  container::Execs& execs = session.engine.execs();
  const auto stream = co_await execs.start_interactive(session.exec, session.spec);
  int ended_by = 0;
  if (session.spec.terminal) {
    TakenTerminal terminal(co_await asio::this_coro::executor);
    co_await container::finished_before(talk(session, *stream),
                                        watch_terminal(session, terminal, ended_by));
  } else {
    co_await talk(session, *stream);
  }
  if (ended_by != 0) co_return 128 + ended_by;
  co_return co_await exit_code(session.engine, session.exec);
}

Task<int> run_command(container::Engine& engine, const std::string& project,
                      const ComposeArguments& from, Console& console) {
  const auto in = co_await compose::running_container(engine, project, from.service);
  const container::ExecSpec spec = spec_of(from, console);
  const std::string exec = co_await engine.execs().create(in.id, spec);
  if (spec.input)
    co_return co_await run_interactive(
        {.engine = engine, .exec = exec, .spec = spec, .console = console});
  const auto output = co_await engine.execs().start_attached(exec);
  co_await copy_output(*output, console);
  co_return co_await exit_code(engine, exec);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// What to do where no container of the service runs.
std::string remedy(const ComposeTarget& target, const std::string& service) {
  if (!target.file) return "`campaignctl compose -p " + target.project + " ps` shows what does";
  const std::vector<std::string> known = service_names(*target.file);
  if (std::find(known.begin(), known.end(), service) != known.end())
    return "`campaignctl compose up " + service + "` starts it";
  return "the file has no such service, it has " + joined(known);
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
    throw CommandError(ExitCode::environment,
                       std::string(error.what()) + ": " + remedy(target, from.service));
  }
  return code;
}

}  // namespace controller::cli
