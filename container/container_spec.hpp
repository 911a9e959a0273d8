// What a container is made of, as the create verb takes it. Plain data; sizes are bytes, times
// seconds. What is left empty is the engine's choice, except for the guards that every container
// of ours gets: bounded logs, an init, no restart, no device unless asked for.
//
// An engine ignores fields that it is too old for. The create verb refuses those by name instead
// (engine_json::refuse_newer_options).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace container {

struct Mount {
  std::string source;  // absolute host path, or a volume's name; a volume without one is anonymous
  std::string target;
  bool read_only = false;
  bool volume = false;
  bool no_copy = false;          // a new volume does not get what the image has at the target
  std::string propagation = {};  // of a bind: rprivate, rshared, ...
  std::string subpath = {};      // of a volume
};

struct RLimit {
  std::string name;
  std::int64_t soft = 0, hard = 0;
};

// How the engine finds out whether a container is ready. Without a test it is the image's own
// check, with what is set here in place of the image's times.
struct HealthCheck {
  std::vector<std::string> test = {};  // as the engine has it: CMD ARG..., CMD-SHELL TEXT, NONE
  std::optional<double> interval = {}, timeout = {}, start_period = {}, start_interval = {};
  std::optional<int> retries = {};
};

// A port of the container that the host listens on.
struct PublishedPort {
  int target = 0;
  std::string protocol = "tcp";
  std::string host_ip = {}, published = {};  // a port or a range; empty: the engine chooses
};

// A network that a container is in from its first moment. Below API 1.44 the engine takes one at
// create; the others are connected before create returns.
struct NetworkAttachment {
  std::string network;  // name or id
  std::vector<std::string> aliases = {};
  std::string ipv4 = {}, ipv6 = {}, mac_address = {};
  std::vector<std::string> link_local_ips = {};
  std::vector<std::string> links = {};  // "container:name": names that only this container sees
  std::map<std::string, std::string> driver_options = {};
};

struct DeviceNode {
  std::string host, target;
  std::string permissions = "rwm";
};

// Devices by what they can do, as drivers of the engine resolve them. One merged request: engines
// take only the last of several for one driver.
struct DeviceRequest {
  std::string driver = {};
  std::optional<int> count = {};  // -1 = all; excludes ids
  std::vector<std::string> ids = {};
  std::vector<std::vector<std::string>> capabilities = {};  // one of these lists, all of its words
  std::map<std::string, std::string> options = {};
};

struct RestartPolicy {
  std::string name = "no";  // no, always, unless-stopped, on-failure
  int most = 0;             // of on-failure; 0: no bound
};

struct LogDriver {
  std::string driver;
  std::map<std::string, std::string> options = {};
};

struct WeightedDevice {
  std::string path;
  int weight = 0;
};
struct ThrottledDevice {
  std::string path;
  std::uint64_t rate = 0;  // bytes or operations per second
};
struct BlockIo {
  std::optional<int> weight = {};
  std::vector<WeightedDevice> device_weights = {};
  std::vector<ThrottledDevice> read_bps = {}, write_bps = {}, read_iops = {}, write_iops = {};
};

// Limits beside those that campaigns use themselves (memory, cpus, pids_limit, cpuset_cpus).
struct FineLimits {
  std::optional<std::int64_t> cpu_shares = {}, cpu_period = {}, cpu_quota = {};
  std::optional<std::int64_t> cpu_rt_period = {}, cpu_rt_runtime = {};  // microseconds
  std::optional<std::int64_t> cpu_count = {}, cpu_percent = {};
  std::string cpuset_mems = {};
  std::optional<std::int64_t> memory_reservation = {}, memory_swap = {}, memory_swappiness = {};
  std::optional<bool> oom_kill_disable = {};
  std::optional<int> oom_score_adj = {};
  BlockIo block_io = {};
};

struct ContainerSpec {
  std::string name;
  std::string image;  // id
  std::optional<std::vector<std::string>> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> env;  // K=V
  // `network` is the engine's network mode: a name, none, host, container:ID. Empty: the first of
  // `networks`, else the engine's default.
  std::string user, working_dir, network, ipc, cpuset_cpus;
  std::map<std::string, std::string> labels;
  std::vector<Mount> mounts;
  std::map<std::string, std::string> tmpfs;
  std::optional<std::int64_t> shm_size, memory, pids_limit;
  std::optional<double> cpus;
  std::vector<RLimit> ulimits;
  std::vector<std::string> cap_add, cap_drop;
  std::vector<std::string> security_opt;  // a seccomp profile as its JSON, not as a path
  bool init = true, read_only = false, privileged = false;
  std::optional<int> stop_timeout;  // seconds

  std::string hostname = {}, domainname = {}, mac_address = {}, platform = {}, runtime = {};
  bool tty = false, stdin_open = false;
  std::string stop_signal = {};
  std::optional<HealthCheck> health = {};  // nullopt: none, not even the image's
  std::vector<PublishedPort> ports = {};
  std::vector<std::string> expose = {};  // "80/tcp"
  std::vector<NetworkAttachment> networks = {};
  std::vector<std::string> extra_hosts = {};  // "name:address"
  std::vector<std::string> dns = {}, dns_search = {}, dns_options = {};
  std::string pid = {}, uts = {}, userns = {}, cgroup = {}, cgroup_parent = {}, isolation = {};
  std::vector<std::string> volumes_from = {};  // "container[:ro]"
  std::vector<DeviceNode> devices = {};
  std::vector<DeviceRequest> device_requests = {};
  std::vector<std::string> device_cgroup_rules = {}, group_add = {};
  std::map<std::string, std::string> sysctls = {}, storage_options = {}, annotations = {};
  RestartPolicy restart = {};
  std::optional<LogDriver> logging = {};  // nullopt: json-file, at most 3 files of 50 MB
  FineLimits limits = {};
};

}  // namespace container
