#include "compose/service_spec.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace compose {

namespace {

using container::ContainerSpec;

[[noreturn]] void refuse(const Service& service, const std::string& what) {
  throw NotPossible("service " + service.name + ": " + what);
}

Strings environment(const StringMap& variables) {
  Strings all;
  for (const auto& [name, value] : variables) all.push_back(name + "=" + value);
  return all;
}

// The container of another service whose namespace is shared.
std::string sharing(const Project& project, const std::string& mode) {
  constexpr std::string_view prefix = "service:";
  if (!mode.starts_with(prefix)) return mode;
  const auto found = project.services.find(mode.substr(prefix.size()));
  if (found == project.services.end()) return mode;
  return "container:" + container_name(project, found->second, 1);
}

std::string tmpfs_options(const Mount& mount) {
  std::string options;
  if (mount.tmpfs_size) options += "size=" + std::to_string(*mount.tmpfs_size);
  if (mount.tmpfs_mode) {
    char mode[16];
    std::snprintf(mode, sizeof mode, "%smode=%o", options.empty() ? "" : ",", *mount.tmpfs_mode);
    options += mode;
  }
  if (mount.read_only) options += options.empty() ? "ro" : ",ro";
  return options;
}

std::string volume_name(const Project& project, const Mount& mount) {
  const auto found = project.volumes.find(mount.source);
  return found == project.volumes.end() ? mount.source : found->second.name;
}

void put_mounts(ContainerSpec& spec, const Project& project, const Service& service) {
  for (const Mount& mount : service.volumes) {
    switch (mount.type) {
      case MountType::tmpfs:
        spec.tmpfs[mount.target] = tmpfs_options(mount);
        break;
      case MountType::image:
        refuse(service, "a mount of type image is not supported: copy what it needs into a volume");
      case MountType::bind:
        spec.mounts.push_back({.source = mount.source,
                               .target = mount.target,
                               .read_only = mount.read_only,
                               .propagation = mount.propagation});
        break;
      case MountType::volume:
        spec.mounts.push_back({.source = volume_name(project, mount),
                               .target = mount.target,
                               .read_only = mount.read_only,
                               .volume = true,
                               .no_copy = mount.no_copy,
                               .subpath = mount.subpath});
    }
  }
  for (const std::string& entry : service.tmpfs) {
    const auto colon = entry.find(':');
    spec.tmpfs[entry.substr(0, colon)] =
        colon == std::string::npos ? std::string() : entry.substr(colon + 1);
  }
  for (const VolumesFrom& from : service.volumes_from) {
    const auto other = project.services.find(from.service);
    std::string name = other == project.services.end() ? from.container
                                                       : container_name(project, other->second, 1);
    spec.volumes_from.push_back(name + (from.read_only ? ":ro" : ""));
  }
}

void put_file_grants(ContainerSpec& spec, const std::vector<FileGrant>& grants,
                     const std::map<std::string, FileObject>& objects) {
  for (const FileGrant& grant : grants) {
    const auto found = objects.find(grant.source);
    if (found == objects.end() || found->second.file.empty()) continue;
    spec.mounts.push_back(
        {.source = found->second.file, .target = grant.target, .read_only = true});
  }
}

Strings links_of(const Project& project, const Service& service) {
  Strings all;
  for (const Link& link : service.links) {
    const auto other = project.services.find(link.name);
    if (other != project.services.end())
      all.push_back(container_name(project, other->second, 1) + ":" + link.alias);
  }
  for (const Link& link : service.external_links) all.push_back(link.name + ":" + link.alias);
  return all;
}

void put_networks(ContainerSpec& spec, const Project& project, const Service& service) {
  spec.network = sharing(project, service.network_mode);
  if (!service.network_mode.empty()) return;
  std::vector<std::pair<std::string, const Attachment*>> ordered;
  for (const auto& [key, attachment] : service.networks) ordered.emplace_back(key, &attachment);
  std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
    return std::make_pair(-a.second->priority, a.first) <
           std::make_pair(-b.second->priority, b.first);
  });
  for (const auto& [key, attachment] : ordered) {
    const auto network = project.networks.find(key);
    Strings aliases = attachment->aliases;
    aliases.push_back(service.name);
    spec.networks.push_back(
        {.network = network == project.networks.end() ? key : network->second.name,
         .aliases = std::move(aliases),
         .ipv4 = attachment->ipv4_address,
         .ipv6 = attachment->ipv6_address,
         .mac_address = attachment->mac_address,
         .link_local_ips = attachment->link_local_ips,
         .links = links_of(project, service),
         .driver_options = attachment->driver_opts});
  }
  if (ordered.empty()) spec.network = "none";
}

void add_exposed(Strings& all, const std::string& entry) {
  const auto slash = entry.find('/');
  const std::string protocol = slash == std::string::npos ? "tcp" : entry.substr(slash + 1);
  const std::string range = entry.substr(0, slash);
  const auto dash = range.find('-');
  const int first = std::atoi(range.c_str());
  const int last = dash == std::string::npos ? first : std::atoi(range.c_str() + dash + 1);
  for (int port = first; port <= last; ++port) all.push_back(std::to_string(port) + "/" + protocol);
}

void put_ports(ContainerSpec& spec, const Service& service) {
  for (const Port& port : service.ports)
    spec.ports.push_back({.target = port.target,
                          .protocol = port.protocol,
                          .host_ip = port.host_ip,
                          .published = port.published});
  for (const std::string& entry : service.expose) add_exposed(spec.expose, entry);
}

std::vector<container::ThrottledDevice> throttled(const std::vector<ThrottleDevice>& devices) {
  std::vector<container::ThrottledDevice> all;
  for (const auto& device : devices)
    all.push_back({.path = device.path, .rate = static_cast<std::uint64_t>(device.rate)});
  return all;
}

void put_limits(ContainerSpec& spec, const Limits& limits) {
  spec.cpus = limits.cpus;
  spec.cpuset_cpus = limits.cpuset;
  spec.memory = limits.memory;
  spec.pids_limit = limits.pids;
  auto& fine = spec.limits;
  fine.cpu_count = limits.cpu_count;
  fine.cpu_shares = limits.cpu_shares;
  fine.cpu_quota = limits.cpu_quota;
  fine.cpu_period = limits.cpu_period;
  fine.cpu_rt_period = limits.cpu_rt_period_us;
  fine.cpu_rt_runtime = limits.cpu_rt_runtime_us;
  if (limits.cpu_percent) fine.cpu_percent = std::llround(*limits.cpu_percent);
  fine.memory_reservation = limits.memory_reservation;
  fine.memory_swap = limits.memory_swap;
  fine.memory_swappiness = limits.memory_swappiness;
  fine.oom_kill_disable = limits.oom_kill_disable;
  fine.oom_score_adj = limits.oom_score_adj;
  fine.block_io.weight = limits.blkio.weight;
  for (const auto& device : limits.blkio.weight_device)
    fine.block_io.device_weights.push_back({.path = device.path, .weight = device.weight});
  fine.block_io.read_bps = throttled(limits.blkio.read_bps);
  fine.block_io.write_bps = throttled(limits.blkio.write_bps);
  fine.block_io.read_iops = throttled(limits.blkio.read_iops);
  fine.block_io.write_iops = throttled(limits.blkio.write_iops);
}

void put_devices(ContainerSpec& spec, const Service& service) {
  for (const Device& device : service.devices)
    spec.devices.push_back(
        {.host = device.source, .target = device.target, .permissions = device.permissions});
  for (const DeviceRequest& request : service.device_requests) {
    container::DeviceRequest asked{
        .driver = request.driver, .ids = request.device_ids, .options = request.options};
    if (request.count) asked.count = static_cast<int>(*request.count);
    if (!request.capabilities.empty()) asked.capabilities = {request.capabilities};
    spec.device_requests.push_back(std::move(asked));
  }
  spec.device_cgroup_rules = service.device_cgroup_rules;
}

std::optional<double> seconds(const std::optional<std::int64_t>& nanoseconds) {
  if (!nanoseconds) return std::nullopt;
  return static_cast<double>(*nanoseconds) * 1e-9;
}

std::optional<container::HealthCheck> health_check(const HealthCheck& check) {
  if (check.disabled) return std::nullopt;
  return container::HealthCheck{.test = check.test,
                                .interval = seconds(check.interval_ns),
                                .timeout = seconds(check.timeout_ns),
                                .start_period = seconds(check.start_period_ns),
                                .start_interval = seconds(check.start_interval_ns),
                                .retries = check.retries};
}

// An engine takes a profile's text, the file has its path.
std::string security_option(const Project& project, const Service& service, std::string option) {
  const bool profile = option.starts_with("seccomp=") || option.starts_with("seccomp:");
  const std::string value = profile ? option.substr(8) : std::string();
  if (!profile || value == "unconfined" || value == "builtin" || value.starts_with('{'))
    return option;
  const std::string path = value.starts_with('/') ? value : project.working_dir + "/" + value;
  std::ifstream file(path);
  std::ostringstream text;
  if (!(text << file.rdbuf())) refuse(service, "the seccomp profile " + path + " cannot be read");
  return "seccomp=" + text.str();
}

void put_process(ContainerSpec& spec, const Project& project, const Service& service) {
  spec.entrypoint = service.entrypoint;
  if (service.command) spec.command = *service.command;
  spec.env = environment(service.environment);
  spec.user = service.user;
  spec.working_dir = service.working_dir;
  spec.tty = service.tty;
  spec.stdin_open = service.stdin_open;
  spec.init = service.init.value_or(false);
  spec.stop_signal = service.stop_signal;
  if (service.stop_grace_period)
    spec.stop_timeout = static_cast<int>(std::ceil(*service.stop_grace_period));
  spec.health = health_check(service.healthcheck);
  spec.cap_add = service.cap_add;
  spec.cap_drop = service.cap_drop;
  spec.group_add = service.group_add;
  spec.privileged = service.privileged;
  spec.read_only = service.read_only;
  for (const std::string& option : service.security_opt)
    spec.security_opt.push_back(security_option(project, service, option));
}

void put_namespaces(ContainerSpec& spec, const Project& project, const Service& service) {
  spec.hostname = service.hostname;
  spec.domainname = service.domainname;
  spec.mac_address = service.mac_address;
  spec.ipc = sharing(project, service.ipc);
  spec.pid = sharing(project, service.pid);
  spec.uts = service.uts;
  spec.userns = service.userns_mode;
  spec.cgroup = service.cgroup;
  spec.cgroup_parent = service.cgroup_parent;
  spec.isolation = service.isolation;
  spec.extra_hosts = service.extra_hosts;
  spec.dns = service.dns;
  spec.dns_search = service.dns_search;
  spec.dns_options = service.dns_opt;
}

}  // namespace

container::ContainerSpec service_spec(const Project& project, const Service& service) {
  ContainerSpec spec;
  put_process(spec, project, service);
  put_namespaces(spec, project, service);
  put_networks(spec, project, service);
  put_ports(spec, service);
  put_mounts(spec, project, service);
  put_file_grants(spec, service.configs, project.configs);
  put_file_grants(spec, service.secrets, project.secrets);
  put_limits(spec, service.limits);
  put_devices(spec, service);
  spec.platform = service.platform;
  spec.runtime = service.runtime;
  spec.shm_size = service.shm_size;
  for (const auto& [name, limit] : service.ulimits)
    spec.ulimits.push_back({.name = name, .soft = limit.soft, .hard = limit.hard});
  spec.sysctls = service.sysctls;
  spec.storage_options = service.storage_opt;
  spec.annotations = service.annotations;
  if (service.restart)
    spec.restart = {.name = std::string(text(service.restart->policy)),
                    .most = service.restart->max_attempts};
  if (!service.logging.driver.empty() || !service.logging.options.empty())
    spec.logging =
        container::LogDriver{.driver = service.logging.driver, .options = service.logging.options};
  return spec;
}

std::string container_name(const Project& project, const Service& service, int number) {
  if (!service.container_name.empty()) return service.container_name;
  return project.name + "-" + service.name + "-" + std::to_string(number);
}

Strings without_effect(const Service& service) {
  Strings all;
  const auto note = [&](bool said, const std::string& what) {
    if (said) all.push_back("service " + service.name + ": " + what);
  };
  for (const Mount& mount : service.volumes) {
    note(!mount.selinux.empty(), "selinux of the mount at " + mount.target + " is not set");
    note(!mount.recursive.empty(), "recursive of the mount at " + mount.target + " is not set");
  }
  for (const auto& [key, attachment] : service.networks) {
    note(attachment.gw_priority != 0, "gw_priority of network " + key + " is not set");
    note(!attachment.interface_name.empty(), "interface_name of network " + key + " is not set");
  }
  return all;
}

}  // namespace compose
