#include "container/engine_session.hpp"

#include <algorithm>
#include <charconv>

#include "container/engine_json.hpp"

namespace container {

namespace {

constexpr int lowest_minor = 40;
constexpr int highest_minor = engine_json::newest_minor;
constexpr std::size_t error_body_limit = 64 << 10;

int minor_of(const std::string& version) {
  int minor = -1;
  if (version.starts_with("1."))
    std::from_chars(version.data() + 2, version.data() + version.size(), minor);
  return minor;
}

bool version_refused(int status, const std::string& body) {
  return status == 400 && body.find("client version") != std::string::npos &&
         (body.find("too new") != std::string::npos || body.find("too old") != std::string::npos);
}

bool says_conflict(const std::string& text) {
  if (text.find("address already in use") != std::string::npos) return false;
  return text.find("already in use") != std::string::npos ||
         text.find("state improper") != std::string::npos;
}

bool may_repeat(const EngineCall& call, const HttpError& error) {
  if (error.stage == HttpError::Stage::unsent) return true;
  return error.stage == HttpError::Stage::kept && call.repeat == EngineCall::Repeat::allowed;
}

}  // namespace

EngineSession::EngineSession(boost::asio::io_context& io, const DockerEngineOptions& options)
    : options_(options),
      client_(io, {.endpoint = options.endpoint, .connect_timeout = options.connect_timeout}) {}

EngineError EngineSession::lost(const std::string& what, const HttpError& error) const {
  const auto& from = options_.endpoint;
  const auto named_by = from.source.empty() ? std::string() : " (" + from.source + ")";
  return EngineError(
      0, what + ": no answer from the engine at " + from.text() + named_by + ": " + error.what());
}

EngineError EngineSession::refused(const std::string& what, int status,
                                   const std::string& body) const {
  const auto words = engine_json::error_text(body);
  const bool conflict = podman_ && status == 500 && says_conflict(words);
  return EngineError(conflict ? 409 : status,
                     what + ": " + words + " (HTTP " + std::to_string(status) + ")");
}

Task<HttpResponse> EngineSession::ping(std::string method) {
  const HttpRequest request{
      .method = std::move(method), .target = "/_ping", .timeout = options_.request_timeout};
  std::optional<HttpError> failure;
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      co_return co_await client_.request(request);
    } catch (const HttpError& error) {
      failure = error;
    }
    if (failure->stage == HttpError::Stage::answering) break;
  }
  throw lost("ping", *failure);
}

Task<> EngineSession::negotiate() {
  if (!version_.empty() && client_.losses() == negotiated_at_) co_return;
  auto answer = co_await ping("HEAD");
  if (answer.status != 200 || answer.header("api-version").empty()) answer = co_await ping("GET");
  if (answer.status != 200)
    throw refused("ping of " + options_.endpoint.text(), answer.status, answer.body);
  const auto offered = answer.header("api-version");
  const int minor = minor_of(offered);
  if (minor < lowest_minor) {
    const auto says =
        offered.empty() ? "does not say which API it speaks" : "speaks API " + offered;
    throw EngineError(
        400, "the engine at " + options_.endpoint.text() + " " + says + "; needed is 1." +
                 std::to_string(lowest_minor) +
                 " or later (Docker 19.03, podman 3): upgrade it or name another with DOCKER_HOST");
  }
  podman_ =
      !answer.header("libpod-api-version").empty() || answer.header("server").starts_with("Libpod");
  version_ = "1." + std::to_string(std::min(minor, highest_minor));
  negotiated_at_ = client_.losses();
}

Task<int> EngineSession::api_minor() {
  co_await negotiate();
  co_return minor_of(version_);
}

Task<HttpResponse> EngineSession::call(EngineCall call) {
  for (bool last = false;; last = true) {
    co_await negotiate();
    auto request = call.request;
    request.target = "/v" + version_ + request.target;
    std::optional<HttpResponse> answer;
    try {
      answer = co_await client_.request(std::move(request));
    } catch (const HttpError& error) {
      if (last || !may_repeat(call, error)) throw lost(call.what, error);
    }
    if (!answer) continue;
    if (answer->status < 400) co_return std::move(*answer);
    if (last || !version_refused(answer->status, answer->body))
      throw refused(call.what, answer->status, answer->body);
    version_.clear();
  }
}

Task<std::unique_ptr<HttpStream>> EngineSession::open(EngineCall call) {
  for (bool last = false;; last = true) {
    co_await negotiate();
    auto request = call.request;
    request.target = "/v" + version_ + request.target;
    std::unique_ptr<HttpStream> stream;
    std::string body;
    try {
      stream = co_await client_.open(std::move(request));
      if (stream->status() >= 400)
        body = co_await stream->read_all(options_.request_timeout, error_body_limit);
    } catch (const HttpError& error) {
      if (last || error.stage != HttpError::Stage::unsent) throw lost(call.what, error);
    }
    if (!stream) continue;
    if (stream->status() < 400) co_return stream;
    if (last || !version_refused(stream->status(), body))
      throw refused(call.what, stream->status(), body);
    version_.clear();
  }
}

}  // namespace container
