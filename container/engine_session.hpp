// Calls to an engine in the version that both sides speak, with the engine's refusals and losses as
// EngineError.
//
// The version is negotiated before the first call and again after any lost connection (the engine
// may be another one by then). A call is repeated, once, only if nothing of it was sent, if the
// engine refused its version, or if it is repeatable and a kept-alive connection turned out to be
// closed.
#pragma once

#include <memory>
#include <string>

#include "container/docker_engine.hpp"
#include "container/http_client.hpp"

namespace container {

struct EngineCall {
  enum class Repeat { never, allowed };
  std::string what;     // for messages: "start of cctl-..."
  HttpRequest request;  // target without the version: /containers/json
  Repeat repeat = Repeat::never;
};

class EngineSession {
 public:
  EngineSession(boost::asio::io_context& io, const DockerEngineOptions& options);

  Task<HttpResponse> call(EngineCall call);  // a status below 400
  Task<std::unique_ptr<HttpStream>> open(EngineCall call);

  Task<int> api_minor();  // of the version that is spoken: 41 for 1.41

  bool podman() const { return podman_; }
  const std::string& api_version() const {
    return version_;
  }  // "1.41"; empty before the first call
  const Endpoint& endpoint() const { return options_.endpoint; }
  double request_timeout() const { return options_.request_timeout; }
  std::size_t connects() const { return client_.connects(); }
  // The next call opens a connection and negotiates on it.
  void renew() {
    client_.renew();
    version_.clear();
  }

 private:
  Task<> negotiate();
  Task<HttpResponse> ping(std::string method);
  EngineError lost(const std::string& what, const HttpError& error) const;
  EngineError refused(const std::string& what, int status, const std::string& body) const;

  DockerEngineOptions options_;
  HttpClient client_;
  std::string version_;
  std::size_t negotiated_at_ = 0;  // client_.losses() then
  bool podman_ = false;
};

}  // namespace container
