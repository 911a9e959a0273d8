#include "tests/support/controller/fake_engine.hpp"

namespace controller::test {

using namespace container;

void FlakyEngine::fail(int status) {
  throw EngineError(status, status == 0 ? "the connection broke" : "the engine broke");
}

bool FlakyEngine::before() {
  const bool strikes = ++calls_ == nth_;
  if (strikes && fault_ != Fault::answer_lost) fail(fault_ == Fault::refused ? 500 : 0);
  return strikes;
}

template <class T>
Task<T> FlakyEngine::through(Task<T> call) {
  const bool strikes = before();
  T value = co_await std::move(call);
  if (strikes) fail(0);
  co_return value;
}

Task<> FlakyEngine::through(Task<> call) {
  const bool strikes = before();
  co_await std::move(call);
  if (strikes) fail(0);
}

Task<EngineInfo> FlakyEngine::info() { return inner_.info(); }
Task<std::string> FlakyEngine::create(const ContainerSpec& spec) {
  return through(inner_.create(spec));
}
Task<std::unique_ptr<OutputStream>> FlakyEngine::attach(const std::string& id) {
  return through(inner_.attach(id));
}
Task<std::unique_ptr<PendingWait>> FlakyEngine::wait(const std::string& id,
                                                     WaitCondition condition) {
  return through(inner_.wait(id, condition));
}
Task<> FlakyEngine::start(const std::string& id) { return through(inner_.start(id)); }
Task<> FlakyEngine::unpause(const std::string& id) { return through(inner_.unpause(id)); }
Task<> FlakyEngine::kill(const std::string& id, const std::string& signal) {
  return through(inner_.kill(id, signal));
}
Task<ContainerState> FlakyEngine::inspect(const std::string& id_or_name) {
  return through(inner_.inspect(id_or_name));
}
Task<std::optional<container::ContainerStats>> FlakyEngine::stats(const std::string& id) {
  return through(inner_.stats(id));
}
Task<> FlakyEngine::remove(const std::string& id, bool force) {
  return through(inner_.remove(id, force));
}
Task<std::vector<ContainerSummary>> FlakyEngine::list(
    const std::map<std::string, std::string>& labels) {
  return through(inner_.list(labels));
}
Task<std::string> FlakyEngine::logs(const std::string& id, int tail) {
  return through(inner_.logs(id, tail));
}
Task<std::unique_ptr<OutputStream>> FlakyEngine::follow_logs(const std::string& id) {
  return through(inner_.follow_logs(id));
}
Task<std::unique_ptr<EventStream>> FlakyEngine::events(
    const std::map<std::string, std::string>& labels, std::int64_t since_nano) {
  return through(inner_.events(labels, since_nano));
}
Task<std::optional<ImageInfo>> FlakyEngine::image(const std::string& reference) {
  return through(inner_.image(reference));
}
Task<> FlakyEngine::pull(const std::string& reference) { return through(inner_.pull(reference)); }
Task<std::string> FlakyEngine::read_archive(const std::string& id, const std::string& path) {
  return through(inner_.read_archive(id, path));
}

Task<> FlakyEngine::put_archive(const std::string& id, const std::string& path,
                                const std::string& archive) {
  return through(inner_.put_archive(id, path, archive));
}

}  // namespace controller::test
