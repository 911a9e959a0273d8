#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "container/engine_json.hpp"
#include "container/engine_json_fields.hpp"

namespace container::engine_json {

namespace {

constexpr std::size_t one_string_limit = 131071;  // MAX_ARG_STRLEN without its NUL
constexpr std::int64_t default_stack = 8 << 20;
constexpr std::int64_t most_argument_bytes = 6 << 20;
constexpr std::size_t argument_slack = 16 << 10;

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
  const bool left_to_the_engine = !spec.device_requests.empty() || spec.runtime == "nvidia";
  if (!set && !left_to_the_engine) env.push_back(visible + "=void");
  return env;
}

json mounts(const ContainerSpec& spec) {
  json all = json::array();
  for (const auto& mount : spec.mounts) {
    json one = {{"Type", mount.volume ? "volume" : "bind"},
                {"Target", mount.target},
                {"ReadOnly", mount.read_only}};
    if (!mount.source.empty()) one["Source"] = mount.source;
    if (!mount.propagation.empty()) one["BindOptions"]["Propagation"] = mount.propagation;
    if (mount.no_copy) one["VolumeOptions"]["NoCopy"] = true;
    if (!mount.subpath.empty()) one["VolumeOptions"]["Subpath"] = mount.subpath;
    all.push_back(std::move(one));
  }
  return all;
}

json throttled(const std::vector<ThrottledDevice>& devices) {
  json all = json::array();
  for (const auto& device : devices) all.push_back({{"Path", device.path}, {"Rate", device.rate}});
  return all;
}

// Collects what is said; what is empty stays unsaid.
class Fields {
 public:
  explicit Fields(json& object) : object_(object) {}
  template <class T>
  void put(const char* key, const std::optional<T>& value) {
    if (value) object_[key] = *value;
  }
  template <class T>
    requires requires(const T& value) { value.empty(); }
  void put(const char* key, const T& value) {
    if (!value.empty()) object_[key] = value;
  }

 private:
  json& object_;
};

void put_block_io(json& host, const BlockIo& block_io) {
  Fields fields(host);
  fields.put("BlkioWeight", block_io.weight);
  for (const auto& device : block_io.device_weights)
    host["BlkioWeightDevice"].push_back({{"Path", device.path}, {"Weight", device.weight}});
  fields.put("BlkioDeviceReadBps", throttled(block_io.read_bps));
  fields.put("BlkioDeviceWriteBps", throttled(block_io.write_bps));
  fields.put("BlkioDeviceReadIOps", throttled(block_io.read_iops));
  fields.put("BlkioDeviceWriteIOps", throttled(block_io.write_iops));
}

void put_limits(json& host, const ContainerSpec& spec) {
  const FineLimits& limits = spec.limits;
  Fields fields(host);
  fields.put("CpusetCpus", spec.cpuset_cpus);
  fields.put("ShmSize", spec.shm_size);
  fields.put("Memory", spec.memory);
  fields.put("PidsLimit", spec.pids_limit);
  if (spec.cpus) host["NanoCpus"] = std::llround(*spec.cpus * 1e9);
  fields.put("CpuShares", limits.cpu_shares);
  fields.put("CpuPeriod", limits.cpu_period);
  fields.put("CpuQuota", limits.cpu_quota);
  fields.put("CpuRealtimePeriod", limits.cpu_rt_period);
  fields.put("CpuRealtimeRuntime", limits.cpu_rt_runtime);
  fields.put("CpuCount", limits.cpu_count);
  fields.put("CpuPercent", limits.cpu_percent);
  fields.put("CpusetMems", limits.cpuset_mems);
  fields.put("MemoryReservation", limits.memory_reservation);
  fields.put("MemorySwap", limits.memory_swap);
  fields.put("MemorySwappiness", limits.memory_swappiness);
  fields.put("OomKillDisable", limits.oom_kill_disable);
  fields.put("OomScoreAdj", limits.oom_score_adj);
  put_block_io(host, limits.block_io);
  for (const auto& limit : spec.ulimits)
    host["Ulimits"].push_back({{"Name", limit.name}, {"Soft", limit.soft}, {"Hard", limit.hard}});
}

void put_devices(json& host, const ContainerSpec& spec) {
  for (const auto& device : spec.devices) {
    host["Devices"].push_back({{"PathOnHost", device.host},
                               {"PathInContainer", device.target},
                               {"CgroupPermissions", device.permissions}});
  }
  for (const auto& request : spec.device_requests) {
    json one = {{"Driver", request.driver}};
    Fields fields(one);
    fields.put("Count", request.count);
    fields.put("DeviceIDs", request.ids);
    fields.put("Capabilities", request.capabilities);
    fields.put("Options", request.options);
    host["DeviceRequests"].push_back(std::move(one));
  }
  Fields(host).put("DeviceCgroupRules", spec.device_cgroup_rules);
}

std::string network_mode(const ContainerSpec& spec) {
  if (!spec.network.empty() || spec.networks.empty()) return spec.network;
  return spec.networks.front().network;
}

void put_ports(json& host, const ContainerSpec& spec) {
  for (const auto& port : spec.ports) {
    host["PortBindings"][std::to_string(port.target) + "/" + port.protocol].push_back(
        {{"HostIp", port.host_ip}, {"HostPort", port.published}});
  }
}

void put_network(json& host, const ContainerSpec& spec) {
  Fields fields(host);
  fields.put("NetworkMode", network_mode(spec));
  put_ports(host, spec);
  fields.put("ExtraHosts", spec.extra_hosts);
  fields.put("Dns", spec.dns);
  fields.put("DnsSearch", spec.dns_search);
  fields.put("DnsOptions", spec.dns_options);
}

json log_config(const ContainerSpec& spec) {
  if (!spec.logging)
    return {{"Type", "json-file"}, {"Config", {{"max-size", "50m"}, {"max-file", "3"}}}};
  return {{"Type", spec.logging->driver}, {"Config", spec.logging->options}};
}

json restart_policy(const RestartPolicy& restart) {
  json policy = {{"Name", restart.name}};
  if (restart.most > 0) policy["MaximumRetryCount"] = restart.most;
  return policy;
}

json host_config(const ContainerSpec& spec) {
  json host = {{"AutoRemove", false},
               {"RestartPolicy", restart_policy(spec.restart)},
               {"LogConfig", log_config(spec)},
               {"Init", spec.init},
               {"ReadonlyRootfs", spec.read_only},
               {"Privileged", spec.privileged}};
  Fields fields(host);
  fields.put("Mounts", mounts(spec));
  fields.put("Tmpfs", spec.tmpfs);
  fields.put("VolumesFrom", spec.volumes_from);
  fields.put("IpcMode", spec.ipc);
  fields.put("PidMode", spec.pid);
  fields.put("UTSMode", spec.uts);
  fields.put("UsernsMode", spec.userns);
  fields.put("CgroupnsMode", spec.cgroup);
  fields.put("CgroupParent", spec.cgroup_parent);
  fields.put("Isolation", spec.isolation);
  fields.put("Runtime", spec.runtime);
  fields.put("CapAdd", spec.cap_add);
  fields.put("CapDrop", spec.cap_drop);
  fields.put("SecurityOpt", spec.security_opt);
  fields.put("GroupAdd", spec.group_add);
  fields.put("Sysctls", spec.sysctls);
  fields.put("StorageOpt", spec.storage_options);
  fields.put("Annotations", spec.annotations);
  put_network(host, spec);
  put_limits(host, spec);
  put_devices(host, spec);
  return host;
}

json health_check(const std::optional<HealthCheck>& check) {
  if (!check) return {{"Test", {"NONE"}}};
  json said = json::object();
  Fields fields(said);
  fields.put("Test", check->test);
  const auto nanoseconds = [&said](const char* key, const std::optional<double>& seconds) {
    if (seconds) said[key] = std::llround(*seconds * 1e9);
  };
  nanoseconds("Interval", check->interval);
  nanoseconds("Timeout", check->timeout);
  nanoseconds("StartPeriod", check->start_period);
  nanoseconds("StartInterval", check->start_interval);
  fields.put("Retries", check->retries);
  return said;
}

json exposed_ports(const ContainerSpec& spec) {
  json all = json::object();
  for (const auto& port : spec.expose) all[port] = json::object();
  for (const auto& port : spec.ports)
    all[std::to_string(port.target) + "/" + port.protocol] = json::object();
  return all;
}

json endpoints(const ContainerSpec& spec, int api_minor) {
  json all = json::object();
  for (const auto& network : spec.networks) {
    if (!all.empty() && api_minor < several_networks_minor) break;
    all[network.network] = endpoint(network);
  }
  return all;
}

[[noreturn]] void refuse(const std::string& option, int needed, int api_minor) {
  throw EngineError(400, option + " needs an engine that speaks API 1." + std::to_string(needed) +
                             "; this one speaks 1." + std::to_string(api_minor) +
                             " and would ignore it: leave it out or upgrade the engine");
}

}  // namespace

void refuse_newer_options(const ContainerSpec& spec, int api_minor) {
  const auto needs = [api_minor](bool asked, int minor, const char* option) {
    if (asked && api_minor < minor) refuse(option, minor, api_minor);
  };
  needs(!spec.cgroup.empty(), 41, "cgroup (the cgroup namespace)");
  needs(!spec.platform.empty(), 41, "platform");
  needs(!spec.annotations.empty(), 43, "annotations");
  needs(spec.health && spec.health->start_interval, 44, "healthcheck.start_interval");
  for (const auto& network : spec.networks)
    needs(!network.mac_address.empty(), 44, "a network's mac_address");
  for (const auto& mount : spec.mounts) needs(!mount.subpath.empty(), 45, "a volume's subpath");
}

std::string create_body(const ContainerSpec& spec, int api_minor) {
  refuse_oversize(spec);
  json body = {{"Image", spec.image},
               {"Env", environment(spec)},
               {"Labels", spec.labels},
               {"AttachStdout", true},
               {"AttachStderr", true},
               {"AttachStdin", false},
               {"OpenStdin", spec.stdin_open},
               {"StdinOnce", false},
               {"Tty", spec.tty},
               {"Healthcheck", health_check(spec.health)},
               {"HostConfig", host_config(spec)}};
  Fields fields(body);
  fields.put("Entrypoint", spec.entrypoint);
  fields.put("Cmd", spec.command);
  fields.put("User", spec.user);
  fields.put("WorkingDir", spec.working_dir);
  fields.put("StopTimeout", spec.stop_timeout);
  fields.put("StopSignal", spec.stop_signal);
  fields.put("Hostname", spec.hostname);
  fields.put("Domainname", spec.domainname);
  fields.put("MacAddress", spec.mac_address);
  fields.put("ExposedPorts", exposed_ports(spec));
  if (!spec.networks.empty())
    body["NetworkingConfig"] = {{"EndpointsConfig", endpoints(spec, api_minor)}};
  return dump(body, "the container's specification");
}

}  // namespace container::engine_json
