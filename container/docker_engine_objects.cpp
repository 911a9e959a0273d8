#include "container/docker_engine_objects.hpp"

#include "container/docker_engine_calls.hpp"
#include "container/engine_json.hpp"
#include "container/engine_streams.hpp"

namespace container {

namespace {

using Repeat = EngineCall::Repeat;

Task<> remove_if_there(EngineSession& session, EngineCall call) {
  try {
    co_await session.call(std::move(call));
  } catch (const EngineError& error) {
    if (!error.not_found()) throw;
  }
}

class DockerNetworks : public Networks {
 public:
  DockerNetworks(EngineSession& session, const DockerEngineOptions& options)
      : session_(session), calls_(options) {}

  Task<std::string> create(const NetworkSpec& spec) override {
    EngineCall call = calls_.change("POST", "/networks/create", "create of network " + spec.name);
    call.repeat = Repeat::never;
    call.request.body = engine_json::network_body(spec);
    const auto answer = co_await session_.call(std::move(call));
    co_return engine_json::created_id(answer.body);
  }

  Task<std::vector<NetworkInfo>> list(const std::map<std::string, std::string>& labels) override {
    const auto filter = escaped(engine_json::label_filter(labels));
    const auto answer =
        co_await session_.call(calls_.get("/networks?filters=" + filter, "list of networks"));
    co_return engine_json::networks(answer.body);
  }

  Task<NetworkInfo> inspect(const std::string& id_or_name) override {
    const auto answer = co_await session_.call(
        calls_.get(path(id_or_name), "inspect of network " + short_id(id_or_name)));
    co_return engine_json::network(answer.body);
  }

  Task<> connect(const NetworkAttachment& attachment, const std::string& container) override {
    EngineCall call = calls_.change(
        "POST", path(attachment.network, "/connect"),
        "connection of " + short_id(container) + " to network " + short_id(attachment.network));
    call.repeat = Repeat::never;
    call.request.body = engine_json::connect_body(attachment, container);
    co_await session_.call(std::move(call));
  }

  Task<> disconnect(const std::string& network, const std::string& container) override {
    EngineCall call = calls_.change(
        "POST", path(network, "/disconnect"),
        "disconnection of " + short_id(container) + " from network " + short_id(network));
    call.request.body = engine_json::disconnect_body(container);
    co_await remove_if_there(session_, std::move(call));
  }

  Task<> remove(const std::string& id) override {
    co_await remove_if_there(
        session_, calls_.change("DELETE", path(id), "removal of network " + short_id(id)));
  }

 private:
  static std::string path(const std::string& network, const std::string& rest = {}) {
    if (network.empty()) throw EngineError(400, "a network without an id or name was asked for");
    return "/networks/" + escaped(network) + rest;
  }

  EngineSession& session_;
  EngineCalls calls_;
};

class DockerVolumes : public Volumes {
 public:
  DockerVolumes(EngineSession& session, const DockerEngineOptions& options)
      : session_(session), calls_(options) {}

  Task<VolumeInfo> create(const VolumeSpec& spec) override {
    EngineCall call = calls_.change("POST", "/volumes/create", "create of volume " + spec.name);
    call.request.body = engine_json::volume_body(spec);
    const auto answer = co_await session_.call(std::move(call));
    co_return engine_json::volume(answer.body);
  }

  Task<std::vector<VolumeInfo>> list(const std::map<std::string, std::string>& labels) override {
    const auto filter = escaped(engine_json::label_filter(labels));
    const auto answer =
        co_await session_.call(calls_.get("/volumes?filters=" + filter, "list of volumes"));
    co_return engine_json::volumes(answer.body);
  }

  Task<VolumeInfo> inspect(const std::string& name) override {
    const auto answer = co_await session_.call(calls_.get(path(name), "inspect of volume " + name));
    co_return engine_json::volume(answer.body);
  }

  Task<> remove(const std::string& name) override {
    co_await remove_if_there(session_,
                             calls_.change("DELETE", path(name), "removal of volume " + name));
  }

 private:
  static std::string path(const std::string& name) {
    if (name.empty()) throw EngineError(400, "a volume without a name was asked for");
    return "/volumes/" + escaped(name);
  }

  EngineSession& session_;
  EngineCalls calls_;
};

class DockerExecs : public Execs {
 public:
  DockerExecs(EngineSession& session, const DockerEngineOptions& options)
      : session_(session), calls_(options) {}

  Task<std::string> create(const std::string& container, const ExecSpec& spec) override {
    if (container.empty()) throw EngineError(400, "an exec in no container was asked for");
    EngineCall call = calls_.post("/containers/" + escaped(container) + "/exec",
                                  "exec in " + short_id(container));
    call.request.body = engine_json::exec_body(spec);
    const auto answer = co_await session_.call(std::move(call));
    co_return engine_json::created_id(answer.body);
  }

  Task<> start_detached(const std::string& exec) override {
    co_await session_.call(start(exec, engine_json::ExecStart::detached));
  }

  Task<std::unique_ptr<OutputStream>> start_attached(const std::string& exec) override {
    EngineCall call = start(exec, engine_json::ExecStart::attached);
    call.request.upgrade = true;
    co_return make_output_stream(co_await session_.open(std::move(call)),
                                 StreamDemux::Format::framed);
  }

  Task<std::unique_ptr<ExecStream>> start_interactive(const std::string& exec,
                                                      const ExecSpec& spec) override {
    using Format = StreamDemux::Format;
    using How = engine_json::ExecStart;
    EngineCall call = start(exec, spec.terminal ? How::terminal : How::attached);
    call.request.upgrade = true;
    co_return make_exec_stream(co_await session_.open(std::move(call)),
                               spec.terminal ? Format::raw : Format::framed);
  }

  Task<> resize(const std::string& exec, TerminalSize size) override {
    co_await session_.call(calls_.post("/exec/" + escaped(exec) +
                                           "/resize?h=" + std::to_string(size.rows) +
                                           "&w=" + std::to_string(size.columns),
                                       "resize of the terminal of exec " + short_id(exec)));
  }

  Task<ExecState> inspect(const std::string& exec) override {
    const auto answer = co_await session_.call(
        calls_.get("/exec/" + escaped(exec) + "/json", "inspect of exec " + short_id(exec)));
    co_return engine_json::exec(answer.body);
  }

 private:
  EngineCall start(const std::string& exec, engine_json::ExecStart how) const {
    EngineCall call = calls_.change("POST", "/exec/" + escaped(exec) + "/start",
                                    "start of exec " + short_id(exec));
    call.repeat = Repeat::never;
    call.request.body = engine_json::exec_start_body(how);
    return call;
  }

  EngineSession& session_;
  EngineCalls calls_;
};

}  // namespace

std::unique_ptr<Networks> make_docker_networks(EngineSession& session,
                                               const DockerEngineOptions& options) {
  return std::make_unique<DockerNetworks>(session, options);
}

std::unique_ptr<Volumes> make_docker_volumes(EngineSession& session,
                                             const DockerEngineOptions& options) {
  return std::make_unique<DockerVolumes>(session, options);
}

std::unique_ptr<Execs> make_docker_execs(EngineSession& session,
                                         const DockerEngineOptions& options) {
  return std::make_unique<DockerExecs>(session, options);
}

}  // namespace container
