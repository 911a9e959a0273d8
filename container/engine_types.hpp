// What an engine is asked for and what it tells: plain data of the verbs in engine.hpp.
// Sizes are bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace container {

struct EngineInfo {
  std::string id;  // /info.ID
  std::string name, version, api_version;
  std::string cgroup_version, cgroup_driver;  // "2", "systemd"
  std::int64_t cpus = 0, memory = 0;
  bool podman = false, rootless = false, userns_remap = false;
  std::string architecture;  // x86_64
  std::vector<std::string> runtimes;
  std::string default_runtime;
  std::vector<std::string> cdi_folders;  // where it looks for CDI specifications; none: it does not
  std::vector<std::string> cdi_devices;  // by full name, "nvidia.com/gpu=0"; API 1.50 and newer
};

enum class ContainerStatus { created, running, paused, restarting, removing, exited, dead };

// What the engine's own probe of a container says; `none`: it has none.
enum class Health { none, starting, healthy, unhealthy };
struct HealthState {
  Health status = Health::none;
  int failing_streak = 0;
  std::vector<std::string> log;  // output of the last probes, oldest first
};

// One network that a container is in.
struct AttachedNetwork {
  std::string network_id, address;
  std::vector<std::string> aliases;
};

struct ContainerMount {
  std::string type, name, source, target;  // bind, volume or tmpfs; name of a volume
  bool read_only = false;
};

struct ContainerState {
  std::string id, name;
  ContainerStatus status = ContainerStatus::created;
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;
  // RFC 3339 as the engine writes it; "0001-01-01T00:00:00Z" = never.
  std::string started_at, finished_at;
  std::int64_t pid = 0;
  bool tty = false;
  std::map<std::string, std::string> labels;
  HealthState health = {};
  std::string image = {}, image_name = {};  // its id, and as it was asked for
  std::string stop_signal = {};             // empty: TERM
  std::optional<int> stop_timeout = {};     // seconds
  int restart_count = 0;
  std::vector<std::string> execs = {};                   // ids of those that run
  std::map<std::string, AttachedNetwork> networks = {};  // by name
  std::vector<ContainerMount> mounts = {};
};

// What the kernel has counted for a container that runs. Without a value: the engine does not tell.
struct ContainerStats {
  std::optional<double> cpu_seconds = {}, cpu_throttled_seconds = {};
  std::optional<double> memory_bytes = {};  // without the page cache that can be dropped at once
  // The high-water mark, cache included; control groups of version 1 only.
  std::optional<double> memory_max_bytes = {};
  std::optional<double> read_bytes = {}, written_bytes = {};   // of block devices
  std::optional<double> received_bytes = {}, sent_bytes = {};  // by all networks of its own
  std::optional<double> pids = {};
};

struct ContainerSummary {
  std::string id, name;
  ContainerStatus status = ContainerStatus::created;
  std::map<std::string, std::string> labels;
  std::int64_t created = 0;  // seconds since the epoch
};

struct ImageInfo {
  std::string id, architecture, user, workdir;
  std::vector<std::string> layers;  // RootFS.Layers, diff ids
  std::vector<std::string> entrypoint, command, env, repo_digests;
  std::string identity()
      const;  // SHA-256 (hex) over layers and entrypoint, command, env, workdir, user
};

}  // namespace container
