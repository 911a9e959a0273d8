#include "container/engine_json.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace container::engine_json {

namespace {

using nlohmann::json;

constexpr std::size_t one_string_limit = 131071;  // MAX_ARG_STRLEN without its NUL
constexpr std::int64_t default_stack = 8 << 20;
constexpr std::int64_t most_argument_bytes = 6 << 20;
constexpr std::size_t argument_slack = 16 << 10;

json parse(const std::string& body) {
  json parsed = json::parse(body, nullptr, false);
  if (parsed.is_discarded())
    throw EngineError(0, "the engine's answer is no JSON: " + error_text(body));
  return parsed;
}

const json& at(const json& object, const char* key) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

std::string text(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t integer(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_number() ? value.get<std::int64_t>() : 0;
}

bool flag(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_boolean() && value.get<bool>();
}

std::vector<std::string> texts(const json& object, const char* key) {
  std::vector<std::string> all;
  const json& value = at(object, key);
  if (value.is_string()) all.push_back(value.get<std::string>());
  if (!value.is_array()) return all;
  for (const auto& item : value) {
    if (item.is_string()) all.push_back(item.get<std::string>());
  }
  return all;
}

std::map<std::string, std::string> text_map(const json& object, const char* key) {
  std::map<std::string, std::string> all;
  const json& value = at(object, key);
  if (!value.is_object()) return all;
  for (const auto& [name, item] : value.items()) {
    if (item.is_string()) all.emplace(name, item.get<std::string>());
  }
  return all;
}

std::string without_slash(std::string name) {
  if (!name.empty() && name.front() == '/') name.erase(0, 1);
  return name;
}

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

void refuse_oversize(const ContainerSpec& spec) {
  std::int64_t stack = default_stack;
  for (const auto& limit : spec.ulimits) {
    if (limit.name == "stack") stack = limit.soft;
  }
  const std::int64_t quarter =
      stack < 0 ? most_argument_bytes : std::min(stack / 4, most_argument_bytes);
  const std::size_t room =
      static_cast<std::size_t>(std::max<std::int64_t>(quarter, 1 << 17)) - argument_slack;
  std::size_t total = 0;
  const auto add = [&total](const std::vector<std::string>& strings, const char* what) {
    for (const auto& s : strings) {
      total += s.size() + 1 + sizeof(char*);
      if (s.size() > one_string_limit) {
        throw EngineError(400, std::string(what) + " '" + s.substr(0, s.find('=')).substr(0, 40) +
                                   "' has " + std::to_string(s.size()) +
                                   " bytes; the kernel takes " + std::to_string(one_string_limit) +
                                   ": hand it over in a file");
      }
    }
  };
  add(spec.entrypoint.value_or(std::vector<std::string>{}), "the argument");
  add(spec.command, "the argument");
  add(spec.env, "the variable");
  if (total > room) {
    throw EngineError(400, "arguments and environment have " + std::to_string(total) +
                               " bytes; the kernel takes " + std::to_string(room) +
                               " under this stack limit: hand them over in files");
  }
}

std::vector<std::string> environment(const ContainerSpec& spec) {
  static const std::string visible = "NVIDIA_VISIBLE_DEVICES";
  auto env = spec.env;
  const bool set = std::any_of(env.begin(), env.end(), [](const std::string& entry) {
    return entry.starts_with(visible + "=");
  });
  if (!set) env.push_back(visible + "=void");
  return env;
}

json mounts(const ContainerSpec& spec) {
  json all = json::array();
  for (const auto& mount : spec.mounts) {
    all.push_back({{"Type", mount.volume ? "volume" : "bind"},
                   {"Source", mount.source},
                   {"Target", mount.target},
                   {"ReadOnly", mount.read_only}});
  }
  return all;
}

json host_config(const ContainerSpec& spec) {
  json host = {
      {"AutoRemove", false},
      {"RestartPolicy", {{"Name", "no"}}},
      {"LogConfig", {{"Type", "json-file"}, {"Config", {{"max-size", "50m"}, {"max-file", "3"}}}}},
      {"Init", spec.init},
      {"ReadonlyRootfs", spec.read_only},
      {"Privileged", spec.privileged}};
  const auto put = [&host](const char* key, json value) { host[key] = std::move(value); };
  if (!spec.mounts.empty()) put("Mounts", mounts(spec));
  if (!spec.tmpfs.empty()) put("Tmpfs", spec.tmpfs);
  if (!spec.network.empty()) put("NetworkMode", spec.network);
  if (!spec.ipc.empty()) put("IpcMode", spec.ipc);
  if (!spec.cpuset_cpus.empty()) put("CpusetCpus", spec.cpuset_cpus);
  if (spec.shm_size) put("ShmSize", *spec.shm_size);
  if (spec.memory) put("Memory", *spec.memory);
  if (spec.pids_limit) put("PidsLimit", *spec.pids_limit);
  if (spec.cpus) put("NanoCpus", std::llround(*spec.cpus * 1e9));
  if (!spec.cap_add.empty()) put("CapAdd", spec.cap_add);
  if (!spec.cap_drop.empty()) put("CapDrop", spec.cap_drop);
  if (!spec.security_opt.empty()) put("SecurityOpt", spec.security_opt);
  for (const auto& limit : spec.ulimits) {
    host["Ulimits"].push_back({{"Name", limit.name}, {"Soft", limit.soft}, {"Hard", limit.hard}});
  }
  return host;
}

std::string dump(const json& value, const char* what) {
  try {
    return value.dump();
  } catch (const json::type_error&) {
    throw EngineError(400, std::string(what) +
                               " holds bytes that are not UTF-8, which the engine cannot be told");
  }
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

}  // namespace

std::string create_body(const ContainerSpec& spec) {
  refuse_oversize(spec);
  json body = {{"Image", spec.image},
               {"Env", environment(spec)},
               {"Labels", spec.labels},
               {"AttachStdout", true},
               {"AttachStderr", true},
               {"AttachStdin", false},
               {"OpenStdin", false},
               {"StdinOnce", false},
               {"Tty", false},
               {"Healthcheck", {{"Test", {"NONE"}}}},
               {"HostConfig", host_config(spec)}};
  if (spec.entrypoint) body["Entrypoint"] = *spec.entrypoint;
  if (!spec.command.empty()) body["Cmd"] = spec.command;
  if (!spec.user.empty()) body["User"] = spec.user;
  if (!spec.working_dir.empty()) body["WorkingDir"] = spec.working_dir;
  if (spec.stop_timeout) body["StopTimeout"] = *spec.stop_timeout;
  return dump(body, "the container's specification");
}

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
  result.cpus = integer(parsed, "NCPU");
  result.memory = integer(parsed, "MemTotal");
  result.architecture = text(parsed, "Architecture");
  result.runtimes = runtime_names(parsed);
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
