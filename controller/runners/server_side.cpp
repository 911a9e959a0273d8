#include "controller/runners/server_side.hpp"

#include <regex.h>

#include <fstream>

#include "campaign/state/files.hpp"
#include "container/labels.hpp"
#include "controller/runners/engine_away.hpp"
#include "controller/runners/gpus.hpp"
#include "controller/runners/last_lines.hpp"

namespace controller {

namespace fs = std::filesystem;
using campaign::FailureClass;

namespace {

std::uintmax_t size_of(const fs::path& file) {
  std::error_code none;
  const auto size = fs::file_size(file, none);
  return none ? 0 : size;
}

void copy_from(const fs::path& from, std::uintmax_t mark, const fs::path& to) {
  std::ifstream source(from, std::ios::binary);
  if (!source) return;
  source.seekg(static_cast<std::streamoff>(mark));
  std::ofstream(to, std::ios::binary) << source.rdbuf();
}

bool has_line(const fs::path& file, const std::string& pattern) {
  regex_t compiled;
  if (::regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  std::ifstream lines(file);
  bool found = false;
  for (std::string line; !found && std::getline(lines, line);)
    found = ::regexec(&compiled, line.c_str(), 0, nullptr, 0) == 0;
  ::regfree(&compiled);
  return found;
}

// "[HOST]:PORT..." as an address inside its own container.
std::string url_of(const campaign::Ready& ready) {
  std::string place = ready.http.empty() ? ready.tcp : ready.http;
  if (place.starts_with("http://")) place.erase(0, 7);
  if (place.starts_with(':')) place.insert(0, "127.0.0.1");
  return (ready.http.empty() ? "tcp://" : "http://") + place;
}

std::string check_name(const campaign::Ready& ready) {
  if (!ready.exec.empty()) return "server.ready.exec";
  return ready.http.empty() ? "server.ready.tcp" : "server.ready.http";
}

// What a check that went to its end found to be missing, "" = nothing.
std::string answer_text(const campaign::Ready& ready, const container::ExecOutput& answer) {
  constexpr std::size_t longest = 300;
  if (answer.timed_out) return check_name(ready) + " did not come to an end";
  if (answer.exit_code == 0) return "";
  std::string said = answer.err.empty() ? answer.out : answer.err;
  said.erase(said.find_last_not_of(" \r\n") + 1);
  said.erase(0, said.rfind('\n') + 1);
  if (said.size() > longest) said.resize(longest);
  if (ready.exec.empty()) {
    const auto prefix = said.find(": ");
    return check_name(ready) + ": " + said.substr(prefix == said.npos ? 0 : prefix + 2);
  }
  return check_name(ready) + " ended with exit code " + std::to_string(answer.exit_code) +
         (said.empty() ? "" : ": " + said);
}

ServerEnding ending_of_server(const fs::path& logs) {
  const auto outcome = campaign::read_outcome(logs);
  if (!outcome) return {.last_lines = last_lines(logs)};
  return {.known = !outcome->stopped_by,
          .exit_code = outcome->stopped_by ? std::nullopt : outcome->exit_code,
          .signal = outcome->signal,
          .exec_error = outcome->exec_errno != 0 ? outcome->exec_error : "",
          .last_lines = last_lines(logs)};
}

bool belongs(const std::map<std::string, std::string>& labels, const char* key,
             const std::string& value) {
  const auto found = labels.find(key);
  return found != labels.end() && found->second == value;
}

}  // namespace

ServerSide::Wanted ServerSide::wanted(const Attempt& attempt) const {
  const ServerPayload server = resolve_server(parts_.payload, attempt, container_view(attempt));
  DockerSpecRequest request{.attempt = &attempt,
                            .payload = &server.payload,
                            .site = parts_.site,
                            .belonging = &parts_.belonging};
  compose::DesiredContainer service;
  std::optional<std::string> emptied;
  if (const std::string name = server_service(*attempt.runner); !name.empty()) {
    service = parts_.compose->oneoff(name, attempt);
    compose::make_folders(service.folders);
    request.service = &service.spec;
    emptied = emptied_reservation(name, service.spec, attempt.devices);
  }
  Wanted made{.spec = server_spec(request, server.ports),
              .files = std::move(service.files),
              .hash = {},
              .ready = server.ready.value_or(campaign::Ready{}),
              .emptied = std::move(emptied)};
  made.hash = spec_hash(made.spec);
  return made;
}

container::OnExit ServerSide::exit_of(Live& live) {
  return [&live, wake = parts_.wake] {
    live.ended = true;
    if (live.attempt) live.attempt->exit_seen = true;
    wake->notify();
  };
}

Task<> ServerSide::have_network(int worker) {
  if (networks_.contains(worker)) co_return;
  container::Networks& networks = parts_.engine->networks();
  const container::NetworkSpec spec = network_spec(parts_.belonging, worker);
  for (const auto& known : co_await networks.list({{container::label::uid, parts_.belonging.uid}}))
    if (known.name == spec.name) networks_[worker] = known.id;
  if (!networks_.contains(worker)) networks_[worker] = co_await networks.create(spec);
}

Task<std::string> ServerSide::create(const Attempt& attempt, const Wanted& server) {
  const auto ours = [&](const std::map<std::string, std::string>& labels) {
    return belongs(labels, container::label::uid, parts_.belonging.uid) &&
           belongs(labels, container::label::run, attempt.run) &&
           belongs(labels, container::label::attempt, std::to_string(attempt.number));
  };
  const std::string id = co_await container::create_fenced(*parts_.engine, server.spec, ours);
  co_await container::put_files(*parts_.engine, id, server.files);
  co_return id;
}

Task<> ServerSide::prepare(Attempt& attempt) {
  if (!attempt.runner->server) co_return;
  co_await have_network(attempt.worker);
  const Wanted server = wanted(attempt);
  note_once(attempt, server.emptied);
  campaign::make_scratch_folders(attempt.paths.ctl / "server");
  if (attempt.runner->user != "host") fs::permissions(attempt.paths.ctl / "server", fs::perms::all);
  const Live& live = live_[attempt.worker];
  if (live.id.empty() || live.hash != server.hash)
    ahead_[attempt.name()] = co_await create(attempt, server);
}

Task<> ServerSide::make_ready(Attempt& attempt) {
  if (!attempt.runner->server) {
    const auto kept = live_.find(attempt.worker);
    if (kept != live_.end()) co_await drop(kept->second, attempt.grace());
    co_return;
  }
  Live& live = live_[attempt.worker];
  const Wanted server = wanted(attempt);
  if (!live.id.empty() && (live.hash != server.hash || live.ended))
    co_await drop(live, attempt.grace());
  live.attempt = &attempt;
  if (live.id.empty()) {
    live.hash = server.hash;
    co_await bring_up(live, attempt, server);
  } else {
    live.out_mark = size_of(live.logs / "stdout.log");
    live.err_mark = size_of(live.logs / "stderr.log");
  }
  attempt.server_id = live.id;
}

Task<> ServerSide::bring_up(Live& live, const Attempt& attempt, const Wanted& server) {
  live.logs = attempt.paths.ctl / "server";
  live.out_mark = live.err_mark = 0;
  live.ended = false;
  const auto made = ahead_.extract(attempt.name());
  if (made.empty()) {
    co_await have_network(attempt.worker);
    campaign::make_scratch_folders(live.logs);
    live.id = co_await create(attempt, server);
  } else {
    live.id = made.mapped();
  }
  container::Started started =
      co_await container::adopt_watched(*parts_.engine, live.id, exit_of(live));
  live.witness = std::move(started.witness);
  if (started.ending.kind == container::Ending::Kind::start_failed)
    throw PrepareError(FailureClass::infra,
                       "its server could not be started: " + with_gpu_remedy(started.ending.error));
  co_await await_ready(live, server.ready, server.spec.user);
}

Task<> ServerSide::await_ready(Live& live, const campaign::Ready& ready, const std::string& user) {
  const campaign::Clock& clock = campaign::system_clock();
  const double end = clock.boottime() + ready.timeout;
  for (double step = 0.02;; step = std::min(step * 1.5, 0.5)) {
    if (parts_.cancelled()) throw ReleasedBeforeStart();
    if (live.ended || !live.witness) not_ready(live, "ended before it was ready");
    const std::string lacks = co_await lacking(live, ready, user);
    if (lacks.empty()) co_return;
    if (clock.boottime() >= end)
      not_ready(live, "was not ready after " + std::to_string(static_cast<int>(ready.timeout)) +
                          " s (server.ready.timeout): " + lacks);
    co_await parts_.wake->wait(step);
  }
}

Task<std::string> ServerSide::lacking(const Live& live, const campaign::Ready& ready,
                                      const std::string& user) {
  constexpr double limit = 10;
  if (!ready.log.empty())
    co_return has_line(live.logs / "stdout.log", ready.log) ||
            has_line(live.logs / "stderr.log", ready.log)
        ? ""
        : "no line of its output is like '" + ready.log + "' (server.ready.log)";
  container::ExecSpec check{.command = ready.exec, .user = user};
  if (ready.exec.empty() && ready.http.empty() && ready.tcp.empty()) co_return "";
  if (ready.exec.empty()) check.command = {"/campaign/launch", "--probe", url_of(ready)};
  try {
    co_return answer_text(ready,
                          co_await container::run_exec(*parts_.engine, live.id, check, limit));
  } catch (const container::EngineError& error) {
    if (error.unreachable()) throw;
    co_return check_name(ready) + " could not be carried out: " + error.what();
  }
}

void ServerSide::not_ready(const Live& live, const std::string& why) const {
  if (const auto wrong = device_mismatch(live.logs))
    throw PrepareError(FailureClass::infra, "its server was not started: " + *wrong);
  const ServerEnding ending = ending_of_server(live.logs);
  if (!ending.exec_error.empty())
    throw PrepareError(FailureClass::config,
                       "the command of its server could not be executed: " + ending.exec_error);
  std::string text = "its server " + why;
  if (ending.exit_code) text += ", with exit code " + std::to_string(*ending.exit_code);
  throw PrepareError(ending.known && ending.exit_code ? FailureClass::payload : FailureClass::infra,
                     text + ending.last_lines);
}

Task<> ServerSide::adopt(Attempt& attempt) {
  if (!attempt.runner->server || attempt.server_id.empty()) co_return;
  Live& live = live_[attempt.worker];
  if (live.id == attempt.server_id && live.witness && !live.ended) co_return;
  live.id = attempt.server_id;
  live.attempt = &attempt;
  live.logs = attempt.paths.ctl / "server";
  container::Started started =
      co_await container::adopt_watched(*parts_.engine, live.id, exit_of(live));
  live.witness = std::move(started.witness);
  live.ended = !live.witness;
  if (live.ended) attempt.exit_seen = true;
}

Task<bool> ServerSide::ended(Attempt& attempt) {
  const auto found = live_.find(attempt.worker);
  if (found == live_.end() || found->second.attempt != &attempt) co_return false;
  Live& live = found->second;
  if (!live.ended) co_return false;
  const container::Ending seen = co_await container::look(*parts_.engine, live.id);
  if (seen.kind == container::Ending::Kind::running) {
    live.ended = false;
    live.witness.reset();
    co_await adopt(attempt);
    co_return false;
  }
  attempt.ending.server = ending_of_server(live.logs);
  co_return true;
}

void ServerSide::gather_logs(const Live& live, const Attempt& attempt) {
  copy_from(live.logs / "stdout.log", live.out_mark, attempt.paths.ctl / "server.stdout.log");
  copy_from(live.logs / "stderr.log", live.err_mark, attempt.paths.ctl / "server.stderr.log");
}

Task<> ServerSide::conclude(Attempt& attempt) {
  const auto found = live_.find(attempt.worker);
  if (found == live_.end() || found->second.attempt != &attempt) co_return;
  Live& live = found->second;
  // One that is kept keeps its GPUs, so beside other workers that might wait for them none is.
  const bool alone = parts_.payload.campaign->execution.workers == 1 || attempt.devices.empty();
  const bool keep = attempt.runner->server->reuse == campaign::ServerReuse::while_same && alone &&
                    !attempt.early_failure && !live.ended && !live.hash.empty();
  live.attempt = nullptr;
  const Live was{.logs = live.logs, .out_mark = live.out_mark, .err_mark = live.err_mark};
  if (!keep) co_await away_or(drop(live, attempt.grace()));
  gather_logs(was, attempt);
}

Task<> ServerSide::remove(Attempt& attempt) {
  const auto found = live_.find(attempt.worker);
  if (found != live_.end() && found->second.attempt == &attempt) {
    found->second.attempt = nullptr;
    co_await away_or(drop(found->second, attempt.grace()));
  }
  const auto made = ahead_.extract(attempt.name());
  if (!made.empty()) co_await away_or(parts_.engine->remove(made.mapped(), true));
}

Task<> ServerSide::drop(Live& live, double grace) {
  if (live.id.empty()) co_return;
  if (!live.ended)
    co_await container::stop_verified(*parts_.engine, live.id,
                                      {.grace = parts_.cancelled() ? 0 : grace});
  live.witness.reset();
  co_await parts_.engine->remove(live.id, true);
  live.id.clear();
  live.hash.clear();
  live.ended = false;
}

Task<> ServerSide::close() {
  for (auto& [worker, live] : live_) co_await drop(live, 10);
  for (const auto& [worker, id] : networks_) co_await parts_.engine->networks().remove(id);
  networks_.clear();
}

}  // namespace controller
