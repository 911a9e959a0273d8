// A compose project as it is to run: everything merged, interpolated, in its long form, with the
// names that the engine knows. Plain data that the loader makes and the rest of this folder reads.
// Sizes are bytes, durations nanoseconds where the Engine API takes those (..._ns), else seconds.
// An empty optional, text or list means that the file does not say: the engine's or the image's
// own setting holds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace compose {

using Strings = std::vector<std::string>;
using StringMap = std::map<std::string, std::string>;

// When a dependency lets its dependents start.
enum class Condition { started, healthy, completed_successfully };
std::string_view text(Condition condition);  // "service_started", ...

struct Dependency {
  Condition condition = Condition::started;
  bool required = true;  // false: a dependency that fails or is not enabled is only warned of
  bool restart = false;  // true: the dependent is restarted after the dependency was
};

struct Port {
  std::string mode;       // "ingress" or "host"; no difference without swarm
  std::string host_ip;    // "" = all addresses
  int target = 0;         // in the container
  std::string published;  // on the host: "8080", a range "8000-8010" to pick from, "" = any
  std::string protocol = "tcp";
  std::string name, app_protocol;  // kept for printing, without effect
};

enum class MountType { bind, volume, tmpfs, image };
std::string_view text(MountType type);

struct Mount {
  MountType type = MountType::volume;
  // bind: an absolute host path. volume: a key of Project::volumes, "" = an anonymous one. image: a
  // reference.
  std::string source;
  std::string target;
  bool read_only = false;
  std::string consistency;
  // bind
  std::string propagation, selinux;  // selinux: "z" or "Z"
  std::string recursive;             // "enabled", "disabled", "writable", "readonly"
  bool create_host_path = true;      // a missing source is made as a folder
  // volume, image
  bool no_copy = false;
  std::string subpath;
  StringMap labels;
  // tmpfs
  std::optional<std::int64_t> tmpfs_size;
  std::optional<std::uint32_t> tmpfs_mode;
};

// A service in one of the project's networks.
struct Attachment {
  Strings aliases;  // without the service's own name, which every container of it answers to
  std::string ipv4_address, ipv6_address, mac_address, interface_name;
  Strings link_local_ips;
  int priority = 0;     // the highest is connected first: it becomes the container's main network
  int gw_priority = 0;  // the highest has the default gateway; API 1.48
  StringMap driver_opts;
};

struct Device {
  std::string source, target, permissions = "rwm";
};

// HostConfig.DeviceRequests: of deploy.resources.reservations.devices, gpus, and CDI names in
// devices. count -1 = all; count and ids exclude each other.
struct DeviceRequest {
  std::string driver;
  std::optional<std::int64_t> count;
  Strings device_ids;
  Strings capabilities;  // all of them together
  StringMap options;
};

struct Ulimit {
  std::int64_t soft = 0, hard = 0;
};

struct HealthCheck {
  bool disabled = false;  // the image's own check is switched off too
  Strings test;           // {"CMD", ...} or {"CMD-SHELL", line}; empty = the image's
  std::optional<std::int64_t> interval_ns, timeout_ns, start_period_ns, start_interval_ns;
  std::optional<int> retries;
};

enum class RestartPolicy { no, always, on_failure, unless_stopped };
std::string_view text(RestartPolicy policy);

struct Restart {
  RestartPolicy policy = RestartPolicy::no;
  int max_attempts = 0;  // on_failure; 0 = no limit
};

struct PullPolicy {
  enum class When { missing, always, never, build, every } when = When::missing;
  double seconds = 0;  // every: an image pulled longer ago is pulled again
};

struct Logging {
  std::string driver;  // "" = the engine's
  StringMap options;
};

struct WeightDevice {
  std::string path;
  int weight = 0;
};
struct ThrottleDevice {
  std::string path;
  std::int64_t rate = 0;  // bytes or operations a second
};
struct Blkio {
  std::optional<int> weight;
  std::vector<WeightDevice> weight_device;
  std::vector<ThrottleDevice> read_bps, read_iops, write_bps, write_iops;
};

// deploy.resources and the keys of the service that mean the same are one here.
struct Limits {
  std::optional<double> cpus;
  std::string cpuset;
  std::optional<std::int64_t> cpu_count, cpu_shares, cpu_quota, cpu_period;
  std::optional<std::int64_t> cpu_rt_period_us, cpu_rt_runtime_us;
  std::optional<double> cpu_percent;
  std::optional<std::int64_t> memory, memory_reservation;
  std::optional<std::int64_t> memory_swap;  // -1 = without limit
  std::optional<int> memory_swappiness;
  std::optional<std::int64_t> pids;  // -1 = without limit
  std::optional<bool> oom_kill_disable;
  std::optional<int> oom_score_adj;
  Blkio blkio;
};

struct Link {
  std::string name;   // a service; of external_links a container
  std::string alias;  // never empty
};

struct VolumesFrom {
  std::string service, container;  // one of the two
  bool read_only = false;
};

// A config or secret in a container.
struct FileGrant {
  std::string source;  // a key of Project::configs or Project::secrets
  std::string target;  // absolute path in the container
  std::string uid, gid;
  std::optional<std::uint32_t> mode;
};

struct Service {
  std::string name;
  std::string image;
  // What makes the image, where the file has a build section, which is not carried out; else "".
  std::string build_command;
  std::string platform;
  PullPolicy pull_policy;
  std::optional<Strings> command, entrypoint;  // an empty list empties the image's
  // In full: env_file under environment, values of the caller's environment filled in.
  StringMap environment;
  std::string working_dir, user, hostname, domainname, runtime;
  std::string container_name;                  // "" = PROJECT-SERVICE-N
  std::map<std::string, Attachment> networks;  // by key of Project::networks
  // "" = the networks above; none, host, bridge, service:NAME, container:NAME, or a network's name.
  std::string network_mode;
  std::string mac_address;
  std::vector<Port> ports;
  Strings expose;  // "8000", "9000/udp", "8000-8010"
  std::vector<Mount> volumes;
  std::vector<VolumesFrom> volumes_from;
  Strings tmpfs;  // "/run", "/run:size=64m,mode=755"
  std::vector<FileGrant> configs, secrets;
  std::vector<Device> devices;
  Strings device_cgroup_rules;
  std::vector<DeviceRequest> device_requests;
  Strings group_add, cap_add, cap_drop, security_opt;
  bool privileged = false, read_only = false, tty = false, stdin_open = false;
  std::optional<bool> init;
  // As in HostConfig, with service:NAME and container:NAME where the engine has containers.
  std::string ipc, pid, uts, userns_mode, cgroup, cgroup_parent, isolation;
  std::optional<std::int64_t> shm_size;
  std::map<std::string, Ulimit> ulimits;
  StringMap sysctls, storage_opt;
  Limits limits;
  // By service, enabled ones only. links, volumes_from, and network_mode, ipc, pid of another
  // service are in here.
  std::map<std::string, Dependency> depends_on;
  HealthCheck healthcheck;
  std::optional<Restart> restart;  // deploy.restart_policy goes before restart
  std::string stop_signal;
  std::optional<double> stop_grace_period;  // seconds
  Strings extra_hosts;                      // "name:address", as the engine takes them
  Strings dns, dns_search, dns_opt;
  std::vector<Link> links, external_links;
  StringMap labels, annotations;
  Logging logging;
  Strings profiles;
  int replicas = 1;  // scale or deploy.replicas
  bool attach = true;
  // Canonical JSON of all that makes a container of this service another one: without depends_on,
  // profiles, pull_policy, scale, replicas and build. What a hash for recreation is taken over.
  std::string identity;
};

struct IpamPool {
  std::string subnet, gateway, ip_range;
  StringMap aux_addresses;
};

struct Network {
  std::string key;        // in the file; "default" where a service names none
  std::string name;       // on the engine
  bool external = false;  // made by others: must be there, is never removed
  std::string driver;
  StringMap driver_opts, labels;
  std::string ipam_driver;
  StringMap ipam_options;
  std::vector<IpamPool> ipam_pools;
  bool internal = false, attachable = false;
  std::optional<bool> enable_ipv4, enable_ipv6;
  std::string identity;  // canonical JSON, as of a service
};

struct Volume {
  std::string key;
  std::string name;
  bool external = false;
  std::string driver;
  StringMap driver_opts, labels;
  std::string identity;
};

// A top-level config or secret. Of a `file` the container gets a read-only bind; what has `content`
// is copied in before the container starts.
struct FileObject {
  std::string key;
  std::string name;
  std::string file;                    // absolute host path, "" = content
  std::string environment;             // the variable that gave the content
  std::optional<std::string> content;  // empty: its variable is not set, which only a user minds
};

struct Project {
  std::string name;
  std::string working_dir;    // absolute; relative paths of the file are resolved from here
  Strings compose_files;      // absolute, in their order
  Strings environment_files;  // absolute; those that were read for ${...}
  StringMap environment;      // what ${...} sees: the caller's over those files'
  // The services that are enabled, by name.
  std::map<std::string, Service> services;
  // Those whose profile is not, by name, so that a command that names one can load with it.
  std::map<std::string, Strings> disabled_services;
  // Those that are enabled, where the request named others: the files know them all the same.
  Strings unnamed_services;
  // Only what an enabled service uses.
  std::map<std::string, Network> networks;
  std::map<std::string, Volume> volumes;
  std::map<std::string, FileObject> configs, secrets;
};

}  // namespace compose
