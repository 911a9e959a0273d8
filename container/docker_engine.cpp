#include "container/docker_engine.hpp"

#include <algorithm>
#include <chrono>

#include "container/docker_engine_calls.hpp"
#include "container/docker_engine_objects.hpp"
#include "container/engine_json.hpp"
#include "container/engine_streams.hpp"
#include "container/tar.hpp"

namespace container {

namespace {

using Repeat = EngineCall::Repeat;

const char* name_of(WaitCondition condition) {
  switch (condition) {
    case WaitCondition::not_running:
      return "not-running";
    case WaitCondition::next_exit:
    case WaitCondition::first_exit:
      return "next-exit";
    case WaitCondition::removed:
      return "removed";
  }
  return "not-running";
}

bool has_ended(ContainerStatus status) {
  return status == ContainerStatus::exited || status == ContainerStatus::dead ||
         status == ContainerStatus::removing;
}

std::string since(std::int64_t nano) {
  const auto next = nano + 1;
  auto fraction = std::to_string(next % 1'000'000'000);
  return std::to_string(next / 1'000'000'000) + "." + std::string(9 - fraction.size(), '0') +
         fraction;
}

struct ImageName {
  std::string name, tag;
};

ImageName split(const std::string& reference) {
  if (const auto at = reference.find('@'); at != std::string::npos) {
    return {reference.substr(0, at), reference.substr(at + 1)};
  }
  const auto slash = reference.rfind('/');
  const auto colon = reference.find(':', slash == std::string::npos ? 0 : slash);
  if (colon == std::string::npos) return {reference, "latest"};
  return {reference.substr(0, colon), reference.substr(colon + 1)};
}

std::string demultiplexed(const std::string& bytes, bool tty) {
  StreamDemux demux(tty ? StreamDemux::Format::raw : StreamDemux::Format::framed);
  demux.feed(bytes);
  std::string text;
  while (const auto chunk = demux.next()) text += chunk->data;
  return text;
}

class DockerEngine : public Engine {
 public:
  DockerEngine(boost::asio::io_context& io, const DockerEngineOptions& options)
      : options_(options),
        session_(io, options),
        calls_(options_),
        networks_(make_docker_networks(session_, options_)),
        volumes_(make_docker_volumes(session_, options_)),
        execs_(make_docker_execs(session_, options_)) {}

  void renew_connections() override { session_.renew(); }

  Task<EngineInfo> info() override {
    const auto answer = co_await session_.call(calls_.get("/info", "info"));
    auto info = engine_json::info(answer.body);
    info.api_version = session_.api_version();
    info.podman = session_.podman();
    co_return info;
  }

  Task<std::string> create(const ContainerSpec& spec) override {
    const int api_minor = co_await session_.api_minor();
    engine_json::refuse_newer_options(spec, api_minor);
    std::string path = "/containers/create?name=" + escaped(spec.name);
    if (!spec.platform.empty()) path += "&platform=" + escaped(spec.platform);
    EngineCall call = calls_.change("POST", path, "create of " + spec.name);
    call.repeat = Repeat::never;
    call.request.body = engine_json::create_body(spec, api_minor);
    const auto answer = co_await session_.call(std::move(call));
    auto id = engine_json::created_id(answer.body);
    if (api_minor < engine_json::several_networks_minor && spec.networks.size() > 1)
      co_await connect_rest(spec, id);
    co_return id;
  }

  Task<std::unique_ptr<OutputStream>> attach(const std::string& id) override {
    const auto what = "attach to " + short_id(id);
    const auto state = co_await inspect(id);
    if (has_ended(state.status))
      throw EngineError(409, what + ": it has ended, its output would never close; read its logs");
    EngineCall call = calls_.get(container_path(id, "/attach?stream=1&stdout=1&stderr=1"), what);
    call.request.method = "POST";
    call.request.upgrade = true;
    auto stream = co_await session_.open(std::move(call));
    co_return make_output_stream(
        std::move(stream), state.tty ? StreamDemux::Format::raw : StreamDemux::Format::framed);
  }

  Task<std::unique_ptr<PendingWait>> wait(const std::string& id, WaitCondition condition) override {
    const auto what = "wait for " + short_id(id);
    if (condition == WaitCondition::not_running || condition == WaitCondition::next_exit) {
      const auto state = co_await inspect(id);
      if (condition == WaitCondition::not_running && state.status == ContainerStatus::created) {
        throw EngineError(
            409, what + ": it has not been started, the engine would answer 0 at once; inspect it");
      }
      if (condition == WaitCondition::next_exit && has_ended(state.status)) {
        throw EngineError(409,
                          what + ": it has ended already, the next exit never comes; inspect it");
      }
    }
    EngineCall call =
        calls_.get(container_path(id, std::string("/wait?condition=") + name_of(condition)), what);
    call.request.method = "POST";
    co_return make_pending_wait(co_await session_.open(std::move(call)));
  }

  Task<> start(const std::string& id) override {
    co_await session_.call(
        calls_.change("POST", container_path(id, "/start"), "start of " + short_id(id)));
  }

  Task<> unpause(const std::string& id) override {
    EngineCall call = calls_.get(container_path(id, "/unpause"), "unpause of " + short_id(id));
    call.request.method = "POST";
    call.repeat = Repeat::never;
    co_await session_.call(std::move(call));
  }

  Task<> kill(const std::string& id, const std::string& signal) override {
    EngineCall call = calls_.get(container_path(id, "/kill?signal=" + escaped(signal)),
                                 "kill of " + short_id(id) + " with " + signal);
    call.request.method = "POST";
    call.repeat = Repeat::never;
    std::optional<EngineError> refusal;
    try {
      co_await session_.call(std::move(call));
    } catch (const EngineError& error) {
      if (!error.conflict()) throw;
      refusal = error;
    }
    if (!refusal) co_return;
    const auto state = co_await inspect(id);
    if (state.status == ContainerStatus::running || state.status == ContainerStatus::paused)
      throw EngineError(*refusal);
  }

  Task<ContainerState> inspect(const std::string& id_or_name) override {
    const auto answer = co_await session_.call(
        calls_.get(container_path(id_or_name, "/json"), "inspect of " + short_id(id_or_name)));
    co_return engine_json::state(answer.body);
  }

  Task<std::optional<ContainerStats>> stats(const std::string& id) override {
    const auto answer = co_await session_.call(
        calls_.get(container_path(id, "/stats?stream=0&one-shot=1"), "stats of " + short_id(id)));
    co_return engine_json::stats(answer.body);
  }

  Task<> remove(const std::string& id, bool force_running) override {
    const auto path = container_path(id, std::string("?v=1") + (force_running ? "&force=1" : ""));
    try {
      co_await session_.call(calls_.change("DELETE", path, "removal of " + short_id(id)));
      co_return;
    } catch (const EngineError& error) {
      if (error.not_found()) co_return;
      const bool under_way =
          error.conflict() && std::string(error.what()).find("in progress") != std::string::npos;
      if (!under_way) throw;
    }
    co_await gone(id);
  }

  Task<std::vector<ContainerSummary>> list(
      const std::map<std::string, std::string>& labels) override {
    const auto filter = escaped(engine_json::label_filter(labels));
    const auto answer = co_await session_.call(
        calls_.get("/containers/json?all=1&filters=" + filter, "list of containers"));
    co_return engine_json::summaries(answer.body);
  }

  Task<std::string> logs(const std::string& id, int tail) override {
    const auto state = co_await inspect(id);
    const auto query =
        "/logs?stdout=1&stderr=1&tail=" + (tail < 0 ? std::string("all") : std::to_string(tail));
    const auto answer =
        co_await session_.call(calls_.get(container_path(id, query), "logs of " + short_id(id)));
    co_return demultiplexed(answer.body, state.tty);
  }

  Task<std::unique_ptr<OutputStream>> follow_logs(const std::string& id) override {
    const auto state = co_await inspect(id);
    auto stream = co_await session_.open(calls_.get(
        container_path(id, "/logs?follow=1&stdout=1&stderr=1"), "logs of " + short_id(id)));
    co_return make_output_stream(
        std::move(stream), state.tty ? StreamDemux::Format::raw : StreamDemux::Format::framed);
  }

  Task<std::unique_ptr<EventStream>> events(const std::map<std::string, std::string>& labels,
                                            std::int64_t since_nano) override {
    auto path = "/events?filters=" + escaped(engine_json::label_filter(labels, "container"));
    if (since_nano > 0) path += "&since=" + since(since_nano);
    co_return make_event_stream(co_await session_.open(calls_.get(path, "events")));
  }

  Task<std::optional<ImageInfo>> image(const std::string& reference) override {
    try {
      const auto answer = co_await session_.call(
          calls_.get("/images/" + escaped(reference, "/:@") + "/json", "image " + reference));
      co_return engine_json::image(answer.body);
    } catch (const EngineError& error) {
      if (!error.not_found()) throw;
    }
    co_return std::nullopt;
  }

  Task<> pull(const std::string& reference) override {
    const auto name = split(reference);
    const auto what = "pull of " + reference;
    EngineCall call = calls_.get(
        "/images/create?fromImage=" + escaped(name.name) + "&tag=" + escaped(name.tag), what);
    call.request.method = "POST";
    call.request.timeout = options_.pull_silence;
    const auto stream = co_await session_.open(std::move(call));
    co_await follow_pull(*stream, what);
    if (!co_await image(reference))
      throw EngineError(404, what + ": the engine reported success, but does not have the image");
  }

  Task<std::string> read_archive(const std::string& id, const std::string& path) override {
    const auto what = path + " of " + short_id(id);
    const auto answer = co_await session_.call(
        calls_.get(container_path(id, "/archive?path=" + escaped(path)), what));
    auto file = first_file_in_tar(answer.body);
    if (!file) throw EngineError(0, what + ": the engine's archive holds no whole file");
    co_return std::move(*file);
  }

  Task<> put_archive(const std::string& id, const std::string& path,
                     const std::string& archive) override {
    EngineCall call = calls_.change("PUT", container_path(id, "/archive?path=" + escaped(path)),
                                    "files for " + path + " of " + short_id(id));
    call.request.body = archive;
    call.request.content_type = "application/x-tar";
    co_await session_.call(std::move(call));
  }

  Networks& networks() override { return *networks_; }
  Volumes& volumes() override { return *volumes_; }
  Execs& execs() override { return *execs_; }

 private:
  static std::string container_path(const std::string& id, const std::string& rest) {
    if (id.empty()) throw EngineError(400, "a container without an id or name was asked for");
    return "/containers/" + escaped(id) + rest;
  }

  // A container that lacks a network is worse than none.
  Task<> connect_rest(const ContainerSpec& spec, const std::string& id) {
    std::exception_ptr failure;
    try {
      for (std::size_t i = 1; i < spec.networks.size(); ++i)
        co_await networks_->connect(spec.networks[i], id);
    } catch (const EngineError&) {
      failure = std::current_exception();
    }
    if (!failure) co_return;
    co_await remove(id, true);
    std::rethrow_exception(failure);
  }

  Task<> gone(const std::string& id) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration<double>(options_.change_timeout);
    double pause = 0.02;
    for (;;) {
      try {
        co_await inspect(id);
      } catch (const EngineError& error) {
        if (error.not_found()) co_return;
        if (error.unreachable()) throw;
      }
      if (Clock::now() >= end)
        throw EngineError(409, "removal of " + short_id(id) + ": the engine has not finished it");
      co_await sleep_for(pause);
      pause = std::min(0.5, pause * 2);
    }
  }

  Task<> follow_pull(HttpStream& stream, const std::string& what) {
    std::string pending;
    for (bool more = true; more;) {
      try {
        const auto piece = co_await stream.read(options_.pull_silence);
        more = piece.has_value();
        pending += piece.value_or("\n");
      } catch (const HttpError& error) {
        throw EngineError(0, what + ": the engine's report was cut: " + error.what());
      }
      for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
        if (const auto error = engine_json::pull_error(pending.substr(0, end)))
          throw EngineError(500, what + ": " + *error);
        pending.erase(0, end + 1);
      }
    }
  }

  DockerEngineOptions options_;
  EngineSession session_;
  EngineCalls calls_;
  std::unique_ptr<Networks> networks_;
  std::unique_ptr<Volumes> volumes_;
  std::unique_ptr<Execs> execs_;
};

}  // namespace

std::unique_ptr<Engine> make_docker_engine(boost::asio::io_context& io,
                                           const DockerEngineOptions& options) {
  return std::make_unique<DockerEngine>(io, options);
}

}  // namespace container
