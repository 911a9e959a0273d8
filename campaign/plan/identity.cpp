#include <map>
#include <type_traits>
#include <utility>

#include "campaign/config/placeholders.hpp"
#include "campaign/plan/hash.hpp"
#include "campaign/plan/plan.hpp"

namespace campaign {
namespace {

class Effective {
 public:
  Effective(const Campaign& campaign, const Value& config, Expansion* report)
      : campaign_(campaign),
        with_{.parameters = &config, .vars = &campaign.vars, .names = {}},
        report_(report) {}

  Value of(const Runner& runner) {
    put("type", Value::string(type_name(runner.type)));
    text("image", filled(runner.image));
    if (runner.type == RunnerType::compose) put("services", services(runner));
    put("command", argv(runner.command));
    if (runner.entrypoint) put("entrypoint", argv(*runner.entrypoint));
    if (!runner.launch.empty()) put("launch", argv(runner.launch));
    text("workdir", runner.workdir);
    environment(runner);
    mounts(runner);
    limits(runner);
    rights(runner);
    if (runner.window) {
      text("window.begin", runner.window->begin);
      text("window.end", runner.window->end);
    }
    flag("env_compat_lem", runner.env_compat_lem, false);
    if (runner.persistent()) text("strategy", name_of(Strategy::persistent));
    if (runner.persistent() && !runner.warmup_command.empty())
      put("warmup_command", argv(runner.warmup_command));
    if (runner.server) put("server", server(runner));
    if (runner.gpus) put("gpus", gpus(*runner.gpus));
    return Value::map(std::move(members_));
  }

 private:
  static const char* type_name(RunnerType type) {
    if (type == RunnerType::local) return "local";
    return type == RunnerType::docker ? "docker" : "compose";
  }

  // Its service, that of its server, and all that they depend on.
  Value services(const Runner& runner) const {
    std::vector<std::string> names = {runner.service};
    if (runner.server && !runner.server->service.empty()) names.push_back(runner.server->service);
    std::map<std::string, Value> found;
    while (!names.empty()) {
      const std::string name = std::move(names.back());
      names.pop_back();
      const auto said = campaign_.services.find(name);
      if (said == campaign_.services.end() || found.contains(name)) continue;
      found.emplace(name, *said->second.find("service"));
      for (const Value& other : said->second.find("depends_on")->items())
        names.push_back(other.as_string());
    }
    Value::Map all;
    for (auto& [name, value] : found) all.emplace_back(name, std::move(value));
    return Value::map(std::move(all));
  }

  static Value gpus(const GpuWish& wish) {
    using Kind = GpuWish::Kind;
    if (wish.kind == Kind::count) return Value::integer(wish.count);
    if (wish.kind != Kind::ids) return Value::string(wish.kind == Kind::all ? "all" : "none");
    Value::List ids;
    for (const std::string& id : wish.ids) ids.push_back(Value::string(id));
    return Value::list(std::move(ids));
  }

  void put(const std::string& key, Value value) { members_.emplace_back(key, std::move(value)); }

  void text(const std::string& key, const std::string& value) {
    if (!value.empty()) put(key, Value::string(value));
  }

  void flag(const std::string& key, bool value, bool usual) {
    if (value != usual) put(key, Value::boolean(value));
  }

  template <class Number>
  void number(const std::string& key, const std::optional<Number>& value) {
    if (!value) return;
    if constexpr (std::is_floating_point_v<Number>)
      put(key, Value::real(*value));
    else
      put(key, Value::integer(*value));
  }

  void texts(const std::string& key, const std::vector<std::string>& values) {
    Value::List items;
    for (const std::string& each : values) items.push_back(Value::string(each));
    if (!items.empty()) put(key, Value::list(std::move(items)));
  }

  std::string filled(const std::string& value) { return expand(value, with_, report_); }

  Value argv(const Argv& words) {
    Value::List items;
    for (std::string& word : expand_argv(words, with_, report_))
      items.push_back(Value::string(std::move(word)));
    return Value::list(std::move(items));
  }

  std::string moved(const std::string& path) const {
    const std::string folder = campaign_.folder + "/";
    return path.starts_with(folder) ? "./" + path.substr(folder.size()) : path;
  }

  void environment(const Runner& runner) {
    Value::Map env;
    for (const auto& [name, value] : runner.env)
      env.emplace_back(name, Value::string(filled(value)));
    if (!env.empty()) put("env", Value::map(std::move(env)));
    std::vector<std::string> files;
    for (const std::string& path : runner.env_file) files.push_back(moved(path));
    texts("env_file", files);
    flag("shell", runner.shell, false);
  }

  // When it counts as ready does not change what it does.
  Value server(const Runner& runner) {
    Value::Map own;
    std::swap(own, members_);
    text("image", filled(runner.server->image));
    text("service", runner.server->service);
    if (!runner.server->command.empty()) put("command", argv(runner.server->command));
    Value::Map env;
    for (const auto& [name, value] : runner.server->env)
      env.emplace_back(name, Value::string(filled(value)));
    if (!env.empty()) put("env", Value::map(std::move(env)));
    texts("ports", runner.server->ports);
    if (runner.server->reuse == ServerReuse::while_same) text("reuse", "while_same");
    std::swap(own, members_);
    return Value::map(std::move(own));
  }

  void mounts(const Runner& runner) {
    std::vector<std::string> volumes;
    for (const Volume& volume : runner.volumes)
      volumes.push_back(moved(filled(volume.source)) + ":" + filled(volume.target) +
                        (volume.read_only ? ":ro" : ""));
    texts("volumes", volumes);
    Value::Map tmpfs;
    for (const auto& [target, options] : runner.tmpfs)
      tmpfs.emplace_back(target, Value::string(options));
    if (!tmpfs.empty()) put("tmpfs", Value::map(std::move(tmpfs)));
  }

  void limits(const Runner& runner) {
    number("shm_size", runner.shm_size);
    number("cpus", runner.cpus);
    text("cpuset_cpus", runner.cpuset_cpus);
    number("memory", runner.memory);
    number("pids_limit", runner.pids_limit);
    std::vector<std::string> ulimits;
    for (const Ulimit& each : runner.ulimits)
      ulimits.push_back(each.name + "=" + std::to_string(each.soft) + ":" +
                        std::to_string(each.hard));
    texts("ulimits", ulimits);
  }

  void rights(const Runner& runner) {
    if (runner.user != "host") text("user", runner.user);
    text("network", runner.network);
    text("ipc", runner.ipc);
    flag("init", runner.init, true);
    flag("read_only", runner.read_only, false);
    flag("privileged", runner.privileged, false);
    texts("cap_add", runner.cap_add);
    texts("cap_drop", runner.cap_drop);
    texts("security_opt", runner.security_opt);
  }

  const Campaign& campaign_;
  const Placeholders with_;
  Expansion* report_;
  Value::Map members_;
};

}  // namespace

Value effective_runner(const Campaign& campaign, const Value& config, const Runner& runner,
                       Expansion* report) {
  return Effective(campaign, config, report).of(runner);
}

std::optional<Runner> runner_of(const Campaign& campaign, const Experiment& experiment) {
  const Runner* runner = runner_for(campaign, experiment.backend);
  if (runner == nullptr) return std::nullopt;
  Runner own = *runner;
  own.strategy = {experiment.strategy};
  if (own.type == RunnerType::compose && own.service.empty()) own.service = experiment.backend;
  if (const Value* gpus = experiment.config.find("gpus"); gpus && !gpus->is_null())
    if (auto wish = gpu_wish(*gpus)) own.gpus = std::move(*wish);
  return own;
}

std::string image_of(const Campaign& campaign, const Experiment& experiment) {
  const std::optional<Runner> runner = runner_of(campaign, experiment);
  if (!runner || runner->type == RunnerType::local) return "";
  if (runner->type == RunnerType::docker) {
    const Placeholders with{.parameters = &experiment.config, .vars = &campaign.vars, .names = {}};
    return expand(runner->image, with);
  }
  const auto service = campaign.services.find(runner->service);
  const Value* image =
      service == campaign.services.end() ? nullptr : service->second.at_path("service.image");
  return image ? image->as_string() : "";
}

std::string experiment_hash(const Campaign& campaign, const Value& config, const Runner& runner) {
  return identity_hash(config, effective_runner(campaign, config, runner));
}

std::string identity_hash(const Value& config, const Value& effective) {
  return sha256_hex(R"({"config":)" + canonical_json(config) + R"(,"runner":)" +
                    canonical_json(effective) + "}");
}

}  // namespace campaign
