// Runs `true` many times in one container, by the launcher as persistent runs are, and by the bare
// verbs of the engine, in turns whose order rotates. By the launcher twice: each run begun when the
// engine has seen the end of the last, as the bare ones are, and each begun as soon as the last has
// left its outcome. Prints milliseconds per run, one round a line: settled unsettled bare.
//
// usage: perf_execs LAUNCHER FOLDER IMAGE COUNT ROUNDS LABEL
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "container/docker_engine.hpp"
#include "container/exec.hpp"

namespace {

using container::Engine;
using container::Task;

struct Setting {
  std::string launcher, folder, image;
  int count = 0, rounds = 0;
  std::string label;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

enum class Next { when_settled, at_outcome };

struct Round {
  std::string name;
  Next next = Next::when_settled;
};

Task<> by_launcher(Engine& engine, const std::string& id, const Setting& setting, Round round) {
  for (int i = 0; i < setting.count; ++i) {
    const std::string name = round.name + ".c" + std::to_string(i) + ".a1";
    const container::ExecRun run{.container = id,
                                 .name = name,
                                 .command = {"true"},
                                 .user = "0:0",
                                 .out = "/campaign/runs/" + name,
                                 .out_here = setting.folder + "/" + name};
    std::filesystem::create_directories(run.out_here);
    bool told = false;
    const auto started =
        co_await container::start_exec(engine, run, {.on_exit = [&told] { told = true; }});
    while (!told) co_await container::sleep_for(0.0002);
    const auto ending = co_await container::look_exec(engine, run, started.exec);
    if (ending.kind != container::ExecEnding::Kind::ended) throw container::EngineError(500, name);
    if (round.next == Next::when_settled || i + 1 == setting.count)
      co_await container::settle_exec(engine, started.exec);
  }
}

Task<> by_bare_verbs(Engine& engine, const std::string& id, int count) {
  const container::ExecSpec spec{.command = {"true"}};
  for (int i = 0; i < count; ++i) {
    const std::string exec = co_await engine.execs().create(id, spec);
    co_await engine.execs().start_detached(exec);
    while ((co_await engine.execs().inspect(exec)).running) co_await container::sleep_for(0.0002);
  }
}

Task<> measure(Engine& engine, const Setting& setting) {
  container::ContainerSpec spec;
  spec.name = "cctl-perf-execs-" + setting.label;
  spec.image = setting.image;
  spec.entrypoint = {"/campaign/launch"};
  spec.command = {"--hold"};
  spec.network = "none";
  spec.labels = {{"campaignctl.perf", setting.label}};
  spec.mounts = {{.source = setting.launcher, .target = "/campaign/launch", .read_only = true},
                 {.source = setting.folder, .target = "/campaign/runs"}};
  const std::string id = co_await engine.create(spec);
  co_await engine.start(id);
  co_await by_bare_verbs(engine, id, 3);
  for (int round = 0; round < setting.rounds; ++round) {
    double took[3] = {};
    for (int turn = 0; turn < 3; ++turn) {
      const int which = (round + turn) % 3;
      const std::string name = "r" + std::to_string(round) + (which == 0 ? "s" : "o");
      const double begin = now();
      if (which == 2) co_await by_bare_verbs(engine, id, setting.count);
      if (which == 0) co_await by_launcher(engine, id, setting, {name, Next::when_settled});
      if (which == 1) co_await by_launcher(engine, id, setting, {name, Next::at_outcome});
      took[which] = (now() - begin) * 1000 / setting.count;
    }
    std::printf("%.3f %.3f %.3f\n", took[0], took[1], took[2]);
  }
  co_await engine.remove(id, true);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return 64;
  const Setting setting{.launcher = argv[1],
                        .folder = argv[2],
                        .image = argv[3],
                        .count = std::atoi(argv[4]),
                        .rounds = std::atoi(argv[5]),
                        .label = argv[6]};
  boost::asio::io_context io;
  const auto endpoint = container::find_endpoint(
      {.environment = [](const std::string& name) -> std::optional<std::string> {
         const char* value = std::getenv(name.c_str());
         return value ? std::optional<std::string>(value) : std::nullopt;
       },
       .explicit_host = {}});
  if (!endpoint) return 3;
  const auto engine = container::make_docker_engine(io, {.endpoint = *endpoint});
  int code = 0;
  boost::asio::co_spawn(io, measure(*engine, setting), [&](std::exception_ptr failure) {
    try {
      if (failure) std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "perf_execs: %s\n", error.what());
      code = 1;
    }
    io.stop();
  });
  io.run();
  return code;
}
