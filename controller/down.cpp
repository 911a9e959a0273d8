// Removes what campaigns that do not run have left on the engine: by uid, and by the proof that the
// owner is dead.
#include <sys/utsname.h>

#include <boost/asio/io_context.hpp>

#include "campaign/state/files.hpp"
#include "container/docker_engine.hpp"
#include "container/labels.hpp"
#include "controller/errors.hpp"
#include "controller/run_sync.hpp"
#include "controller/session.hpp"

namespace controller {

namespace {

using Labels = std::map<std::string, std::string>;

std::string label_of(const Labels& labels, const char* key) {
  const auto found = labels.find(key);
  return found == labels.end() ? "" : found->second;
}

// Why what has these labels may not be removed, "" when its owner is proved to be dead.
std::string why_left(const Labels& labels) {
  utsname names{};
  uname(&names);
  const std::string host = label_of(labels, container::label::host),
                    lock = label_of(labels, container::label::lock);
  if (host.empty() || lock.empty()) return "it does not say who owns it (--force removes it)";
  if (host != names.nodename)
    return "it belongs to a controller on " + host + " (--force removes it)";
  if (!campaign::lock_is_free(lock)) return "its campaign is running: `campaignctl stop` ends it";
  return "";
}

class Removal {
 public:
  Removal(container::Engine& engine, const DownRequest& request, const std::string& uid)
      : engine_(engine), force_(request.force), proved_(!uid.empty()), uid_(uid) {}

  Task<DownResult> all() {
    const Labels ours = {{container::label::uid, uid_}};
    for (const auto& one : co_await engine_.list(ours))
      if (may_go(one.name, one.labels)) co_await remove(engine_.remove(one.id, true), one.name);
    for (const auto& one : co_await engine_.networks().list(ours))
      if (may_go("network " + one.name, one.labels))
        co_await remove(engine_.networks().remove(one.id), "network " + one.name);
    for (const auto& one : co_await engine_.volumes().list(ours))
      if (may_go("volume " + one.name, one.labels))
        co_await remove(engine_.volumes().remove(one.name), "volume " + one.name);
    co_return std::move(result_);
  }

 private:
  bool may_go(const std::string& name, const Labels& labels) {
    const std::string why = proved_ || force_ ? "" : why_left(labels);
    if (!why.empty()) result_.left.push_back(name + ": " + why);
    return why.empty();
  }

  // What others still use is left.
  Task<> remove(Task<> removal, std::string name) {
    try {
      co_await std::move(removal);
      result_.removed.push_back(name);
    } catch (const container::EngineError& error) {
      if (error.unreachable()) throw;
      result_.left.push_back(name + ": " + error.what());
    }
  }

  container::Engine& engine_;
  bool force_;
  bool proved_;            // its campaign's lock is ours
  const std::string uid_;  // "" = anybody's
  DownResult result_;
};

}  // namespace

DownResult down(const DownRequest& request) {
  std::unique_ptr<campaign::Lock> lock;
  std::string uid;
  if (request.located) {
    auto attempt = campaign::Lock::take(request.located->session.lock(), campaign::system_clock());
    if (!attempt.lock)
      throw CommandError(ExitCode::held, "campaign " + request.located->campaign_id +
                                             " is run by " + attempt.holder.text() +
                                             "\n  `campaignctl stop` ends it first");
    lock = std::move(attempt.lock);
    uid = read_session(*request.located).manifest.uid;
  }
  boost::asio::io_context io;
  std::vector<std::string> tried;
  const auto endpoint =
      container::find_endpoint({.environment = campaign::process_environment()}, &tried);
  if (!endpoint)
    throw CommandError(ExitCode::environment,
                       "no container engine was found; `campaignctl doctor` says what was tried");
  const auto engine = container::make_docker_engine(io, {.endpoint = *endpoint});
  DownResult result;
  if (request.located) {
    Removal own(*engine, request, uid);
    result = *run_sync<DownResult>(io, own.all(), nullptr);
  }
  if (!request.orphans) return result;
  Removal unowned(*engine, request, "");
  DownResult orphans = *run_sync<DownResult>(io, unowned.all(), nullptr);
  result.removed.insert(result.removed.end(), orphans.removed.begin(), orphans.removed.end());
  result.left.insert(result.left.end(), orphans.left.begin(), orphans.left.end());
  return result;
}

}  // namespace controller
