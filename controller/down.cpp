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

Task<DownResult> remove_all(container::Engine& engine, const DownRequest& request,
                            const std::string& uid) {
  DownResult result;
  for (const auto& summary : co_await engine.list({{container::label::uid, uid}})) {
    const std::string why = uid.empty() ? why_left(summary.labels) : "";
    if (!why.empty() && !request.force) {
      result.left.push_back(summary.name + ": " + why);
      continue;
    }
    co_await engine.remove(summary.id, true);
    result.removed.push_back(summary.name);
  }
  for (const auto& network : co_await engine.networks().list({{container::label::uid, uid}})) {
    const std::string why = uid.empty() ? why_left(network.labels) : "";
    if (!why.empty() && !request.force) {
      result.left.push_back("network " + network.name + ": " + why);
      continue;
    }
    co_await engine.networks().remove(network.id);
    result.removed.push_back("network " + network.name);
  }
  co_return result;
}

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
  if (request.located)
    result = *run_sync<DownResult>(io, remove_all(*engine, request, uid), nullptr);
  if (!request.orphans) return result;
  DownResult orphans = *run_sync<DownResult>(io, remove_all(*engine, request, ""), nullptr);
  result.removed.insert(result.removed.end(), orphans.removed.begin(), orphans.removed.end());
  result.left.insert(result.left.end(), orphans.left.begin(), orphans.left.end());
  return result;
}

}  // namespace controller
