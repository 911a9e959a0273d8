// An HTTP server whose every answer is written by the test: the engine at its worst. One thread,
// plain sockets.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "container/endpoint.hpp"

namespace container::test {

struct ScriptedRequest {
  std::string method, target, body;
  int connection = 0;  // counted from 1
};

struct ScriptedReply {
  enum class Then {
    keep,
    close,
    hold
  } then = Then::keep;  // hold: leave the connection open and silent
  std::string bytes;
};

// An answer with a Content-Length; `headers` are whole lines without their ends.
ScriptedReply answer(int status, const std::string& body,
                     const std::vector<std::string>& headers = {});
// A chunked answer with one chunk per piece and the end mark.
ScriptedReply chunked(int status, const std::vector<std::string>& pieces);
// The beginning of a chunked answer, without its end mark, then the connection is closed.
ScriptedReply cut(int status, const std::vector<std::string>& pieces);
// The answer to a ping by an engine of this API version.
ScriptedReply pong(const std::string& api_version, const std::vector<std::string>& headers = {});

class ScriptedEngine {
 public:
  enum class Transport { unix_socket, tcp };
  using Handler = std::function<ScriptedReply(const ScriptedRequest&)>;

  explicit ScriptedEngine(Handler handler, Transport transport = Transport::unix_socket);
  ~ScriptedEngine();
  ScriptedEngine(const ScriptedEngine&) = delete;
  ScriptedEngine& operator=(const ScriptedEngine&) = delete;

  Endpoint endpoint() const;
  std::vector<ScriptedRequest> requests() const;  // pings included
  std::vector<std::string> lines() const;         // "GET /v1.41/info", pings left out
  void close_connections();                       // returns when they are closed

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace container::test
