// Starts or adopts one run by exec, for tests that kill it or its engine in between. Prints one
// line: the kind of its end, whether there is an outcome, and why.
//
// usage: exec_probe start|adopt CONTAINER NAME OUT_INSIDE OUT_HERE SCRIPT
// start prints "started" and waits until it is killed; adopt waits for the end.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>

#include "container/docker_engine.hpp"
#include "container/exec.hpp"

namespace {

using container::Engine;
using container::ExecEnding;
using container::Task;

const char* text(ExecEnding::Kind kind) {
  switch (kind) {
    case ExecEnding::Kind::running:
      return "running";
    case ExecEnding::Kind::ended:
      return "ended";
    case ExecEnding::Kind::start_failed:
      return "start_failed";
    case ExecEnding::Kind::begun_before:
      return "begun_before";
    case ExecEnding::Kind::lost:
      return "lost";
  }
  return "";
}

void say(const ExecEnding& ending) {
  std::printf("%s %s %s\n", text(ending.kind), ending.outcome ? "outcome" : "-",
              ending.error.c_str());
  std::fflush(stdout);
}

Task<> probe(Engine& engine, const container::ExecRun& run, bool fresh) {
  bool told = false;
  const auto on_exit = [&told] { told = true; };
  const auto started = fresh ? co_await container::start_exec(engine, run, {.on_exit = on_exit})
                             : co_await container::adopt_exec(engine, run, on_exit);
  if (!started.witness) {
    say(started.ending);
    co_return;
  }
  std::puts(fresh ? "started" : "adopted");
  std::fflush(stdout);
  while (fresh || !told) co_await container::sleep_for(0.01);
  say(co_await container::look_exec(engine, run, started.exec));
}

}  // namespace

int main(int argc, char** argv) {
  const char* host = std::getenv("DOCKER_HOST");
  if (argc != 7 || !host) return 64;
  const container::ExecRun run{.container = argv[2],
                               .name = argv[3],
                               .command = {"/bin/sh", "-c", argv[6]},
                               .user = "0:0",
                               .out = argv[4],
                               .out_here = argv[5]};
  boost::asio::io_context io;
  const auto engine =
      container::make_docker_engine(io, {.endpoint = container::parse_endpoint(host)});
  int code = 0;
  boost::asio::co_spawn(io, probe(*engine, run, std::string(argv[1]) == "start"),
                        [&](std::exception_ptr failure) {
                          try {
                            if (failure) std::rethrow_exception(failure);
                          } catch (const std::exception& error) {
                            std::printf("error %s\n", error.what());
                            code = 1;
                          }
                          io.stop();
                        });
  io.run();
  return code;
}
