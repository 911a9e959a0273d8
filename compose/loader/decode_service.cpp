#include <charconv>
#include <filesystem>

#include "compose/loader/decode.hpp"
#include "compose/loader/decode_read.hpp"
#include "compose/loader/units.hpp"

namespace compose {
namespace {

void command(const YamlNode& node, std::string_view key, std::optional<Strings>& into) {
  const YamlNode* written = node.find(key);
  if (written == nullptr || written->is_null()) return;
  into.emplace();
  read(node, key, *into);
}

PullPolicy pull_policy(std::string_view word) {
  using When = PullPolicy::When;
  if (word == "always") return {.when = When::always};
  if (word == "never") return {.when = When::never};
  if (word == "build") return {.when = When::build};
  if (word == "daily") return {.when = When::every, .seconds = 86400};
  if (word == "weekly") return {.when = When::every, .seconds = 7 * 86400};
  if (word.starts_with("every_"))
    return {.when = When::every,
            .seconds = static_cast<double>(duration_ns(word.substr(6)).value_or(0)) / 1e9};
  return {};
}

Restart restart_of(std::string_view word) {
  if (word == "always") return {.policy = RestartPolicy::always};
  if (word == "unless-stopped") return {.policy = RestartPolicy::unless_stopped};
  if (!word.starts_with("on-failure")) return {};
  Restart restart{.policy = RestartPolicy::on_failure};
  if (const std::size_t colon = word.find(':'); colon != word.npos)
    std::from_chars(word.data() + colon + 1, word.data() + word.size(), restart.max_attempts);
  return restart;
}

void restart(const YamlNode& node, Service& service) {
  const YamlNode& policy = member(member(node, "deploy"), "restart_policy");
  if (const std::string_view word = node.word("restart"); !word.empty()) {
    service.restart = restart_of(word);
  } else if (policy.is_map()) {
    const std::string_view condition = policy.word("condition");
    service.restart = Restart{.policy = condition == "none"         ? RestartPolicy::no
                                        : condition == "on-failure" ? RestartPolicy::on_failure
                                                                    : RestartPolicy::always};
    read(policy, "max_attempts", service.restart->max_attempts);
  }
}

Mount mount_of(const YamlNode& node) {
  Mount mount;
  const std::string_view type = node.word("type");
  mount.type = type == "bind"    ? MountType::bind
               : type == "tmpfs" ? MountType::tmpfs
               : type == "image" ? MountType::image
                                 : MountType::volume;
  read(node, "source", mount.source);
  read(node, "target", mount.target);
  read(node, "read_only", mount.read_only);
  read(node, "consistency", mount.consistency);
  const YamlNode& bind = member(node, "bind");
  read(bind, "propagation", mount.propagation);
  read(bind, "selinux", mount.selinux);
  read(bind, "recursive", mount.recursive);
  read(bind, "create_host_path", mount.create_host_path);
  const YamlNode& volume = member(node, "volume");
  read(volume, "nocopy", mount.no_copy);
  read(volume, "labels", mount.labels);
  read(volume, "subpath", mount.subpath);
  read(member(node, "image"), "subpath", mount.subpath);
  read(member(node, "tmpfs"), "size", mount.tmpfs_size);
  read(member(node, "tmpfs"), "mode", mount.tmpfs_mode);
  return mount;
}

std::vector<FileGrant> grants(const YamlNode& list, std::string_view folder) {
  std::vector<FileGrant> grants;
  for (const YamlNode& item : list.items) {
    FileGrant grant;
    read(item, "source", grant.source);
    read(item, "target", grant.target);
    read(item, "uid", grant.uid);
    read(item, "gid", grant.gid);
    if (grant.target.empty()) grant.target = grant.source;
    if (!grant.target.starts_with('/')) grant.target = std::string(folder) + grant.target;
    const std::string_view mode = item.word("mode");
    std::uint32_t bits = 0;
    if (std::from_chars(mode.data(), mode.data() + mode.size(), bits, 8).ec == std::errc())
      grant.mode = bits;
    grants.push_back(std::move(grant));
  }
  return grants;
}

HealthCheck health_of(const YamlNode& node) {
  HealthCheck check;
  read(node, "disable", check.disabled);
  read(node, "test", check.test);
  if (!check.test.empty() && check.test.front() == "NONE") check.disabled = true;
  if (check.disabled) check.test.clear();
  check.interval_ns = nanoseconds(node, "interval");
  check.timeout_ns = nanoseconds(node, "timeout");
  check.start_period_ns = nanoseconds(node, "start_period");
  check.start_interval_ns = nanoseconds(node, "start_interval");
  read(node, "retries", check.retries);
  return check;
}

std::string build_command(const YamlNode& service) {
  const YamlNode* build = service.find("build");
  if (build == nullptr) return "";
  const std::filesystem::path context(build->word("context"));
  const std::filesystem::path file(build->word("dockerfile"));
  std::string text = "docker build -t " + std::string(service.word("image"));
  if (!file.empty() && file != "Dockerfile") text += " -f " + (context / file).string();
  if (const auto target = build->word("target"); !target.empty())
    text += " --target " + std::string(target);
  for (const Member& argument : member(*build, "args").members)
    text += " --build-arg " + argument.key + "=...";
  return text + " " + context.string();
}

}  // namespace

void decode_container(const YamlNode& node, Service& service) {
  read(node, "image", service.image);
  service.build_command = build_command(node);
  read(node, "platform", service.platform);
  service.pull_policy = pull_policy(node.word("pull_policy"));
  command(node, "command", service.command);
  command(node, "entrypoint", service.entrypoint);
  read(node, "environment", service.environment);
  read(node, "working_dir", service.working_dir);
  read(node, "user", service.user);
  read(node, "runtime", service.runtime);
  read(node, "container_name", service.container_name);
  for (const YamlNode& mount : member(node, "volumes").items)
    service.volumes.push_back(mount_of(mount));
  read(node, "tmpfs", service.tmpfs);
  service.configs = grants(member(node, "configs"), "/");
  service.secrets = grants(member(node, "secrets"), "/run/secrets/");
  service.healthcheck = health_of(member(node, "healthcheck"));
  restart(node, service);
  read(node, "stop_signal", service.stop_signal);
  if (const auto ns = nanoseconds(node, "stop_grace_period"))
    service.stop_grace_period = static_cast<double>(*ns) / 1e9;
  read(node, "tty", service.tty);
  read(node, "stdin_open", service.stdin_open);
  read(node, "read_only", service.read_only);
  read(node, "init", service.init);
  read(node, "attach", service.attach);
  read(node, "labels", service.labels);
  read(node, "annotations", service.annotations);
  read(node, "profiles", service.profiles);
  read(node, "storage_opt", service.storage_opt);
  const YamlNode& logging = member(node, "logging");
  read(logging, "driver", service.logging.driver);
  read(logging, "options", service.logging.options);
  read(member(node, "deploy"), "replicas", service.replicas);
  read(node, "scale", service.replicas);
}

}  // namespace compose
