#include "container/engine_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "container/engine_json_fields.hpp"

namespace container::engine_json {

namespace {

using nlohmann::json;

std::optional<ContainerStatus> status_named(const std::string& name) {
  static const std::map<std::string, ContainerStatus> names = {
      {"created", ContainerStatus::created},
      {"configured", ContainerStatus::created},
      {"initialized", ContainerStatus::created},
      {"running", ContainerStatus::running},
      {"stopping", ContainerStatus::running},
      {"paused", ContainerStatus::paused},
      {"restarting", ContainerStatus::restarting},
      {"removing", ContainerStatus::removing},
      {"exited", ContainerStatus::exited},
      {"stopped", ContainerStatus::exited},
      {"dead", ContainerStatus::dead}};
  const auto found = names.find(name);
  if (found == names.end()) return std::nullopt;
  return found->second;
}

ContainerStatus status_of(const json& state) {
  if (const auto named = status_named(text(state, "Status"))) return *named;
  if (flag(state, "Paused")) return ContainerStatus::paused;
  if (flag(state, "Running")) return ContainerStatus::running;
  if (flag(state, "Dead")) return ContainerStatus::dead;
  const auto finished = text(state, "FinishedAt");
  const bool never = finished.empty() || finished.starts_with("0001-");
  return never ? ContainerStatus::created : ContainerStatus::exited;
}

Health health_named(const std::string& name) {
  if (name == "starting") return Health::starting;
  if (name == "healthy") return Health::healthy;
  if (name == "unhealthy") return Health::unhealthy;
  return Health::none;
}

HealthState health(const json& said) {
  HealthState state{.status = health_named(text(said, "Status")),
                    .failing_streak = static_cast<int>(integer(said, "FailingStreak"))};
  const json& log = at(said, "Log");
  if (!log.is_array()) return state;
  for (const auto& probe : log) state.log.push_back(text(probe, "Output"));
  return state;
}

std::map<std::string, AttachedNetwork> attached_networks(const json& said) {
  std::map<std::string, AttachedNetwork> all;
  if (!said.is_object()) return all;
  for (const auto& [name, one] : said.items()) {
    all[name] = {.network_id = text(one, "NetworkID"),
                 .address = text(one, "IPAddress"),
                 .aliases = texts(one, "Aliases")};
  }
  return all;
}

std::vector<ContainerMount> container_mounts(const json& said) {
  std::vector<ContainerMount> all;
  if (!said.is_array()) return all;
  for (const auto& one : said) {
    all.push_back({.type = text(one, "Type"),
                   .name = text(one, "Name"),
                   .source = text(one, "Source"),
                   .target = text(one, "Destination"),
                   .read_only = !flag(one, "RW")});
  }
  return all;
}

std::string one_line(std::string words) {
  constexpr std::size_t most = 4096;
  words.erase(0, std::min(words.find_first_not_of(" \t\r\n"), words.size()));
  words.erase(words.find_last_not_of(" \t\r\n") + 1);
  std::replace_if(words.begin(), words.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  if (words.size() > most) words = words.substr(0, most) + "...";
  return words;
}

std::vector<std::string> runtime_names(const json& info) {
  std::vector<std::string> names;
  const json& runtimes = at(info, "Runtimes");
  if (!runtimes.is_object()) return names;
  for (const auto& [name, ignored] : runtimes.items()) names.push_back(name);
  return names;
}

std::vector<std::string> cdi_devices(const json& info) {
  std::vector<std::string> names;
  const json& discovered = at(info, "DiscoveredDevices");
  if (!discovered.is_array()) return names;
  for (const auto& device : discovered) {
    const std::string name = text(device, "ID");
    if (text(device, "Source") == "cdi" && !name.empty()) names.push_back(name);
  }
  return names;
}

}  // namespace

std::string label_filter(const std::map<std::string, std::string>& labels, std::string_view type) {
  json filter = json::object();
  if (!type.empty()) filter["type"] = {type};
  for (const auto& [name, value] : labels) {
    filter["label"].push_back(value.empty() ? name : name + "=" + value);
  }
  return dump(filter, "the label filter");
}

std::string created_id(const std::string& body) {
  auto id = text(parse(body), "Id");
  if (id.empty()) throw EngineError(0, "the engine answered a create without an id");
  return id;
}

EngineInfo info(const std::string& body) {
  const json parsed = parse(body);
  EngineInfo result;
  result.id = text(parsed, "ID");
  result.name = text(parsed, "Name");
  result.version = text(parsed, "ServerVersion");
  result.cgroup_version = text(parsed, "CgroupVersion");
  result.cgroup_driver = text(parsed, "CgroupDriver");
  result.cpus = integer(parsed, "NCPU");
  result.memory = integer(parsed, "MemTotal");
  result.architecture = text(parsed, "Architecture");
  result.runtimes = runtime_names(parsed);
  result.default_runtime = text(parsed, "DefaultRuntime");
  result.cdi_folders = texts(parsed, "CDISpecDirs");
  result.cdi_devices = cdi_devices(parsed);
  for (const auto& option : texts(parsed, "SecurityOptions")) {
    result.rootless =
        result.rootless || option == "name=rootless" || option.starts_with("name=rootless,");
    result.userns_remap =
        result.userns_remap || option == "name=userns" || option.starts_with("name=userns,");
  }
  return result;
}

ContainerState state(const std::string& body) {
  const json parsed = parse(body);
  const json& now = at(parsed, "State");
  const json& config = at(parsed, "Config");
  ContainerState result;
  result.id = text(parsed, "Id");
  result.name = without_slash(text(parsed, "Name"));
  result.status = status_of(now);
  result.exit_code = static_cast<int>(integer(now, "ExitCode"));
  result.oom_killed = flag(now, "OOMKilled");
  result.error = text(now, "Error");
  result.started_at = text(now, "StartedAt");
  result.finished_at = text(now, "FinishedAt");
  result.pid = integer(now, "Pid");
  result.tty = flag(config, "Tty");
  result.labels = text_map(config, "Labels");
  result.health = health(at(now, "Health"));
  result.image = text(parsed, "Image");
  result.image_name = text(config, "Image");
  result.stop_signal = text(config, "StopSignal");
  if (at(config, "StopTimeout").is_number())
    result.stop_timeout = static_cast<int>(integer(config, "StopTimeout"));
  result.restart_count = static_cast<int>(integer(parsed, "RestartCount"));
  result.execs = texts(parsed, "ExecIDs");
  result.networks = attached_networks(at(at(parsed, "NetworkSettings"), "Networks"));
  result.mounts = container_mounts(at(parsed, "Mounts"));
  return result;
}

std::vector<ContainerSummary> summaries(const std::string& body) {
  std::vector<ContainerSummary> all;
  const json parsed = parse(body);
  if (!parsed.is_array()) return all;
  for (const auto& item : parsed) {
    ContainerSummary one;
    one.id = text(item, "Id");
    const auto names = texts(item, "Names");
    one.name = names.empty() ? std::string() : without_slash(names.front());
    one.status = status_named(text(item, "State")).value_or(ContainerStatus::created);
    one.labels = text_map(item, "Labels");
    one.created = integer(item, "Created");
    all.push_back(std::move(one));
  }
  return all;
}

ImageInfo image(const std::string& body) {
  const json parsed = parse(body);
  const json& config = at(parsed, "Config");
  ImageInfo result;
  result.id = text(parsed, "Id");
  result.architecture = text(parsed, "Architecture");
  result.user = text(config, "User");
  result.workdir = text(config, "WorkingDir");
  result.layers = texts(at(parsed, "RootFS"), "Layers");
  result.entrypoint = texts(config, "Entrypoint");
  result.command = texts(config, "Cmd");
  result.env = texts(config, "Env");
  result.repo_digests = texts(parsed, "RepoDigests");
  return result;
}

WaitResult wait_result(const std::string& body) {
  WaitResult result;
  const json parsed = json::parse(body, nullptr, false);
  const json& code = at(parsed, "StatusCode");
  result.error = text(at(parsed, "Error"), "Message");
  if (!code.is_number_integer()) {
    if (result.error.empty()) result.error = "the engine's wait ended without an exit code";
    return result;
  }
  result.exit_code = code.get<int>();
  result.known = result.exit_code >= 0;
  if (!result.known && result.error.empty()) {
    result.error =
        "the engine's wait gave " + std::to_string(result.exit_code) + ", which is no exit code";
  }
  return result;
}

std::optional<EngineEvent> event(const std::string& line) {
  const json parsed = json::parse(line, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  const json& actor = at(parsed, "Actor");
  EngineEvent result;
  result.action = text(parsed, "Action");
  if (result.action.empty()) result.action = text(parsed, "status");
  if (result.action.starts_with("exec_"))
    result.action = result.action.substr(0, result.action.find(':'));
  if (result.action == "died") result.action = "die";
  result.id = text(actor, "ID");
  if (result.id.empty()) result.id = text(parsed, "id");
  result.attributes = text_map(actor, "Attributes");
  if (const auto code = result.attributes.find("containerExitCode");
      code != result.attributes.end()) {
    result.attributes.emplace("exitCode", code->second);
  }
  result.time_nano = integer(parsed, "timeNano");
  if (result.time_nano == 0) result.time_nano = integer(parsed, "time") * 1'000'000'000;
  if (result.action.empty() || result.id.empty()) return std::nullopt;
  return result;
}

std::string error_text(const std::string& body) {
  const json parsed = json::parse(body, nullptr, false);
  std::string words = text(parsed, "message");
  if (words.empty()) words = text(parsed, "cause");
  if (words.empty()) words = parsed.is_object() ? std::string() : body;
  words = one_line(words);
  return words.empty() ? "no reason was given" : words;
}

std::optional<std::string> pull_error(const std::string& line) {
  const json parsed = json::parse(line, nullptr, false);
  auto words = text(at(parsed, "errorDetail"), "message");
  if (words.empty()) words = text(parsed, "error");
  if (words.empty()) return std::nullopt;
  return one_line(words);
}

}  // namespace container::engine_json

namespace container {

std::optional<Health> health_in(const EngineEvent& event) {
  constexpr std::string_view prefix = "health_status: ";
  if (!event.action.starts_with(prefix)) return std::nullopt;
  return engine_json::health_named(event.action.substr(prefix.size()));
}

}  // namespace container
