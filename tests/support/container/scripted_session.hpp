// A Docker engine client with short time limits against a scripted engine.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "container/docker_engine.hpp"
#include "tests/support/container/loop.hpp"
#include "tests/support/container/scripted_engine.hpp"

namespace container::test {

using Then = ScriptedReply::Then;

inline constexpr char running[] = R"({"Id":"x","State":{"Status":"running"}})";
inline constexpr char fresh[] = R"({"Id":"x","State":{"Status":"created"}})";
inline constexpr char ended[] = R"({"Id":"x","State":{"Status":"exited","ExitCode":3}})";

inline bool is_ping(const ScriptedRequest& request) { return request.target == "/_ping"; }
inline bool asks(const ScriptedRequest& request, const std::string& part) {
  return request.target.find(part) != std::string::npos;
}

// Pings as API 1.41; everything else goes to the test.
inline ScriptedEngine::Handler after_ping(ScriptedEngine::Handler rest,
                                          std::vector<std::string> headers = {}) {
  return [rest = std::move(rest), headers](const ScriptedRequest& request) {
    return is_ping(request) ? pong("1.41", headers) : rest(request);
  };
}

inline ScriptedReply raw(const std::string& bytes, Then then) {
  return {.then = then, .bytes = bytes};
}

inline std::string frame(char stream, const std::string& payload) {
  return std::string{stream, 0, 0, 0, 0, 0, 0, static_cast<char>(payload.size())} + payload;
}

class Session {
 public:
  explicit Session(const ScriptedEngine& server) : Session(server.endpoint()) {}
  explicit Session(const Endpoint& endpoint)
      : engine_(make_docker_engine(loop_.io(), {.endpoint = endpoint,
                                                .connect_timeout = 2,
                                                .request_timeout = 0.3,
                                                .change_timeout = 0.3,
                                                .pull_silence = 0.3})) {}
  Engine* operator->() { return engine_.get(); }
  Loop& loop() { return loop_; }
  template <class T>
  auto run(Task<T> task) {
    return loop_.run(std::move(task), 20);
  }

  template <class T>
  EngineError refusal(Task<T> task) {
    try {
      run(std::move(task));
    } catch (const EngineError& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was refused";
    return {-1, ""};
  }

 private:
  Loop loop_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace container::test
