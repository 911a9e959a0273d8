#include "compose/loader/decode.hpp"

#include <algorithm>

#include "compose/loader/decode_read.hpp"
#include "compose/loader/print.hpp"

namespace compose {
namespace {

constexpr const char* aside[] = {"build",      "pull_policy", "scale", "deploy",
                                 "depends_on", "profiles",    "attach"};

// What makes a container another one. Of deploy only the resources and the restarts do.
std::string identity(const YamlNode& node) {
  YamlNode kept = node;
  for (const char* key : aside) kept.erase(key);
  std::erase_if(kept.members, [](const Member& entry) { return entry.key.starts_with("x-"); });
  const YamlNode& deploy = member(node, "deploy");
  for (const char* key : {"resources", "restart_policy"})
    if (const YamlNode* part = deploy.find(key)) kept.set(key, *part);
  return identity_text(kept);
}

Network network_of(const Member& entry) {
  Network network{.key = entry.key, .name = {}, .driver = {}};
  const YamlNode& node = entry.value;
  read(node, "name", network.name);
  read(node, "external", network.external);
  read(node, "driver", network.driver);
  read(node, "driver_opts", network.driver_opts);
  read(node, "labels", network.labels);
  read(node, "internal", network.internal);
  read(node, "attachable", network.attachable);
  read(node, "enable_ipv4", network.enable_ipv4);
  read(node, "enable_ipv6", network.enable_ipv6);
  const YamlNode& ipam = member(node, "ipam");
  read(ipam, "driver", network.ipam_driver);
  read(ipam, "options", network.ipam_options);
  for (const YamlNode& item : member(ipam, "config").items) {
    IpamPool pool;
    read(item, "subnet", pool.subnet);
    read(item, "gateway", pool.gateway);
    read(item, "ip_range", pool.ip_range);
    read(item, "aux_addresses", pool.aux_addresses);
    network.ipam_pools.push_back(std::move(pool));
  }
  network.identity = identity_text(node);
  return network;
}

Volume volume_of(const Member& entry) {
  Volume volume{.key = entry.key, .name = {}, .driver = {}};
  read(entry.value, "name", volume.name);
  read(entry.value, "external", volume.external);
  read(entry.value, "driver", volume.driver);
  read(entry.value, "driver_opts", volume.driver_opts);
  read(entry.value, "labels", volume.labels);
  volume.identity = identity_text(entry.value);
  return volume;
}

std::map<std::string, FileObject> file_objects(const YamlNode& all, const StringMap& environment) {
  std::map<std::string, FileObject> objects;
  for (const Member& entry : all.members) {
    FileObject object{.key = entry.key, .name = {}, .file = {}, .environment = {}, .content = {}};
    read(entry.value, "name", object.name);
    read(entry.value, "file", object.file);
    read(entry.value, "environment", object.environment);
    if (const YamlNode* content = entry.value.find("content")) object.content = content->text;
    const auto variable = environment.find(object.environment);
    if (!object.environment.empty() && variable != environment.end())
      object.content = variable->second;
    objects.emplace(entry.key, std::move(object));
  }
  return objects;
}

Service service_of(const Member& entry, const DecodeRequest& request) {
  Service service;
  service.name = entry.key;
  decode_container(entry.value, service);
  decode_connections(entry.value, service);
  decode_limits(entry.value, service);
  decode_security(entry.value, "services." + entry.key, service, request);
  service.identity = identity(entry.value);
  return service;
}

}  // namespace

void decode_security(const YamlNode& node, const std::string& path, Service& service,
                     const DecodeRequest& request) {
  read(node, "device_cgroup_rules", service.device_cgroup_rules);
  read(node, "group_add", service.group_add);
  read(node, "cap_add", service.cap_add);
  read(node, "cap_drop", service.cap_drop);
  read(node, "privileged", service.privileged);
  read(node, "ipc", service.ipc);
  read(node, "pid", service.pid);
  read(node, "uts", service.uts);
  read(node, "userns_mode", service.userns_mode);
  read(node, "cgroup", service.cgroup);
  read(node, "cgroup_parent", service.cgroup_parent);
  read(node, "isolation", service.isolation);
  read(node, "sysctls", service.sysctls);
  constexpr std::string_view profile = "seccomp=";
  for (const YamlNode& item : member(node, "security_opt").items) {
    std::string option = item.text;
    if (const std::size_t cut = option.find_first_of("=:"); cut != option.npos) option[cut] = '=';
    if (option.starts_with(profile) && option != "seccomp=unconfined" &&
        option != "seccomp=builtin") {
      const std::string file = absolute(std::string_view(option).substr(profile.size()),
                                        {request.around.folder, request.home});
      if (exists(file))
        option = std::string(profile) + request.sources.read(file).text;
      else
        request.findings.error(item.place, path + ".security_opt",
                               "there is no file " + std::string(request.sources.name(file)));
    }
    service.security_opt.push_back(std::move(option));
  }
}

Project decode(const YamlNode& node, const DecodeRequest& request) {
  const Surroundings& around = request.around;
  Project project{.name = std::string(node.word("name")),
                  .working_dir = around.folder,
                  .compose_files = around.files,
                  .environment_files = around.environment_files,
                  .environment = around.environment,
                  .services = {},
                  .disabled_services = {},
                  .unnamed_services = {},
                  .networks = {},
                  .volumes = {},
                  .configs = {},
                  .secrets = {}};
  for (const Member& entry : member(node, "services").members)
    project.services.emplace(entry.key, service_of(entry, request));
  for (auto& [name, service] : project.services)
    std::erase_if(service.depends_on, [&](const auto& dependency) {
      return !project.services.contains(dependency.first);
    });
  for (const Member& entry : member(node, "networks").members)
    project.networks.emplace(entry.key, network_of(entry));
  for (const Member& entry : member(node, "volumes").members)
    project.volumes.emplace(entry.key, volume_of(entry));
  project.configs = file_objects(member(node, "configs"), around.environment);
  project.secrets = file_objects(member(node, "secrets"), around.environment);
  return project;
}

}  // namespace compose
