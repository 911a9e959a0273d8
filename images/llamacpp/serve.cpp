// Serves the model of the configuration over HTTP: GET /health, and POST /generate, which generates
// max_output_tokens for one random prompt of max_input_tokens. Requests are worked off one at a
// time, in the order in which they come. Ends with 0 at TERM.
//
//   serve [PORT]    8000 where unsaid

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>

#include "engine.hpp"
#include "http.hpp"

namespace payload {
namespace {

Prompt make_prompt(const Settings& settings, int vocabulary, std::mt19937_64& random) {
  Prompt prompt;
  for (int i = 0; i < settings.max_input_tokens; ++i)
    prompt.push_back(static_cast<llama_token>(random() % static_cast<std::uint64_t>(vocabulary)));
  return prompt;
}

std::string generated(const Settings& settings, const Generation& one) {
  const auto seconds = [&](std::int64_t until) {
    return static_cast<double>(until - one.begin_ns) / 1e9;
  };
  return nlohmann::json{{"tokens", settings.max_output_tokens},
                        {"seconds", seconds(one.step_end_ns.back())},
                        {"ttft_s", seconds(one.step_end_ns.front())}}
      .dump();
}

void serve(int port) {
  Settings settings = read_settings();
  settings.batch_size = 1;
  Engine engine(settings);
  std::mt19937_64 random(static_cast<std::uint64_t>(settings.random_seed));
  const int listener = listen_on(port);
  std::printf("listening on port %d\n", port);
  std::fflush(stdout);
  for (;;) {
    const int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    try {
      const Request request = read_request(connection);
      if (request.target == "/health")
        answer(connection, 200, "{\"status\":\"ok\"}");
      else if (request.method == "POST" && request.target == "/generate")
        answer(connection, 200,
               generated(settings,
                         engine.generate({make_prompt(settings, engine.vocabulary(), random)})));
      else
        answer(connection, 404, "{}");
    } catch (const std::exception& error) {
      std::fprintf(stderr, "a request failed: %s\n", error.what());
    }
    close(connection);
  }
}

}  // namespace
}  // namespace payload

int main(int argc, char** argv) {
  signal(SIGTERM, [](int) { _exit(0); });
  try {
    payload::serve(argc > 1 ? std::atoi(argv[1]) : 8000);
  } catch (const payload::BadConfig& error) {
    std::fprintf(stderr, "bad configuration: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "failed: %s\n", error.what());
    return 1;
  }
}
