#include "tests/support/controller/fake_engine.hpp"

#include <algorithm>
#include <limits>

namespace controller::test {

using namespace container;

namespace {

constexpr char some_time[] = "2026-11-21T00:00:00.5Z";

bool runs(const FakeContainer& container) {
  return container.state.status == ContainerStatus::running ||
         container.state.status == ContainerStatus::paused;
}

// The number at the end of "exit-3".
int number_of(const std::string& script) { return std::stoi(script.substr(script.rfind('-') + 1)); }

}  // namespace

class FakeEngine::Wait : public PendingWait {
 public:
  Wait(FakeEngine& engine, std::string id)
      : engine_(engine), id_(std::move(id)), cut_(engine.script == "cut-wait") {}

  controller::Task<WaitResult> result() override {
    if (cut_) co_return WaitResult{.error = "the stream was cut"};
    for (;;) {
      const auto found = engine_.containers.find(id_);
      if (found == engine_.containers.end()) co_return WaitResult{.error = "gone"};
      if (found->second.state.status == ContainerStatus::exited)
        co_return WaitResult{.known = true, .exit_code = found->second.state.exit_code};
      co_await engine_.changed_.wait(std::numeric_limits<double>::infinity());
    }
  }

 private:
  FakeEngine& engine_;
  std::string id_;
  bool cut_;
};

void FakeEngine::called(const std::string& what) {
  calls.push_back(what);
  if (unreachable_calls > 0) {
    --unreachable_calls;
    throw EngineError(0, what + ": nobody answers");
  }
}

int FakeEngine::count(const std::string& prefix) const {
  return static_cast<int>(std::ranges::count_if(
      calls, [&](const std::string& call) { return call.starts_with(prefix); }));
}

FakeContainer& FakeEngine::at(const std::string& id_or_name) {
  for (auto& [id, container] : containers)
    if (id == id_or_name || container.state.name == id_or_name) return container;
  throw EngineError(404, "no such container: " + id_or_name);
}

void FakeEngine::end(FakeContainer& container, int code) {
  container.state.status = ContainerStatus::exited;
  container.state.exit_code = code;
  container.state.finished_at = some_time;
  changed_.notify();
}

void FakeEngine::finish(const std::string& id, int code) { end(at(id), code); }

Task<EngineInfo> FakeEngine::info() {
  called("info");
  co_return EngineInfo{.id = "FAKE", .name = "fake", .version = "1"};
}

Task<std::string> FakeEngine::create(const ContainerSpec& spec) {
  called("create " + spec.name);
  for (const auto& [id, container] : containers)
    if (container.state.name == spec.name)
      throw EngineError(409, "the name " + spec.name + " is in use by " + id);
  const std::string id = "id" + std::to_string(next_id_++);
  containers[id] = {.state = {.id = id, .name = spec.name, .labels = spec.labels}, .spec = spec};
  co_return id;
}

Task<std::unique_ptr<OutputStream>> FakeEngine::attach(const std::string& id) {
  called("attach " + id);
  throw EngineError(501, "the fake has no output");
  co_return nullptr;
}

Task<std::unique_ptr<PendingWait>> FakeEngine::wait(const std::string& id,
                                                    WaitCondition condition) {
  called("wait " + id);
  const FakeContainer& container = at(id);
  if (condition == WaitCondition::next_exit && container.state.status == ContainerStatus::exited)
    throw EngineError(409, "it has ended already");
  if (condition == WaitCondition::not_running && container.state.status == ContainerStatus::created)
    throw EngineError(409, "it has not been started");
  co_return std::make_unique<Wait>(*this, id);
}

Task<> FakeEngine::start(const std::string& id) {
  called("start " + id);
  FakeContainer& container = at(id);
  if (container.state.status != ContainerStatus::created) co_return;
  if (script.starts_with("start-fails-")) {
    container.state.exit_code = number_of(script);
    container.state.error = "the runtime says no";
    throw EngineError(400, "start: the runtime says no");
  }
  container.state.status = ContainerStatus::running;
  container.state.started_at = some_time;
  if (script.starts_with("exit-")) end(container, number_of(script));
  if (script == "oom") {
    container.state.oom_killed = true;
    end(container, 137);
  }
  if (script == "gone") {
    containers.erase(id);
    changed_.notify();
  }
}

Task<> FakeEngine::unpause(const std::string& id) {
  called("unpause " + id);
  at(id).state.status = ContainerStatus::running;
  co_return;
}

Task<> FakeEngine::kill(const std::string& id, const std::string& signal) {
  called("kill " + signal + " " + id);
  FakeContainer& container = at(id);
  if (!runs(container) || (signal != "KILL" && script == "deaf")) co_return;
  end(container, signal == "KILL" ? 137 : 143);
}

Task<ContainerState> FakeEngine::inspect(const std::string& id_or_name) {
  called("inspect " + id_or_name);
  co_return at(id_or_name).state;
}

Task<std::optional<container::ContainerStats>> FakeEngine::stats(const std::string& id) {
  called("stats " + id);
  if (!runs(at(id))) co_return std::nullopt;
  co_return counted;
}

Task<> FakeEngine::remove(const std::string& id, bool force_running) {
  called("remove " + id);
  const auto found = containers.find(id);
  if (found == containers.end()) co_return;
  if (runs(found->second) && !force_running) throw EngineError(409, "it runs");
  containers.erase(found);
  changed_.notify();
}

Task<std::vector<ContainerSummary>> FakeEngine::list(
    const std::map<std::string, std::string>& labels) {
  called("list");
  std::vector<ContainerSummary> result;
  for (const auto& [id, container] : containers) {
    const auto& has = container.state.labels;
    const bool matches = std::ranges::all_of(labels, [&](const auto& label) {
      const auto found = has.find(label.first);
      return found != has.end() && (label.second.empty() || found->second == label.second);
    });
    if (matches)
      result.push_back({.id = id,
                        .name = container.state.name,
                        .status = container.state.status,
                        .labels = has});
  }
  co_return result;
}

Task<std::string> FakeEngine::logs(const std::string& id, int) {
  called("logs " + id);
  co_return "";
}

Task<std::unique_ptr<OutputStream>> FakeEngine::follow_logs(const std::string& id) {
  called("follow " + id);
  throw EngineError(501, "the fake has no output");
  co_return nullptr;
}

Task<std::unique_ptr<EventStream>> FakeEngine::events(const std::map<std::string, std::string>&,
                                                      std::int64_t) {
  called("events");
  throw EngineError(501, "the fake has no events");
  co_return nullptr;
}

Task<std::optional<ImageInfo>> FakeEngine::image(const std::string& reference) {
  called("image " + reference);
  co_return ImageInfo{.id = "sha256:" + reference};
}

Task<> FakeEngine::pull(const std::string& reference) {
  called("pull " + reference);
  co_return;
}

Task<std::string> FakeEngine::read_archive(const std::string& id, const std::string& path) {
  called("archive " + id + " " + path);
  throw EngineError(404, "the fake has no files");
  co_return "";
}

Task<> FakeEngine::put_archive(const std::string& id, const std::string& path, const std::string&) {
  called("put " + id + " " + path);
  co_return;
}

}  // namespace controller::test
