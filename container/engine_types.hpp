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
  std::string cgroup_version;
  std::int64_t cpus = 0, memory = 0;
  bool podman = false, rootless = false, userns_remap = false;
  std::string architecture;  // x86_64
  std::vector<std::string> runtimes;
};

struct Mount {
  std::string source;  // absolute host path, or a volume's name
  std::string target;
  bool read_only = false;
  bool volume = false;
};

struct RLimit {
  std::string name;
  std::int64_t soft = 0, hard = 0;
};

struct ContainerSpec {
  std::string name;
  std::string image;  // id
  std::optional<std::vector<std::string>> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> env;  // K=V
  std::string user, working_dir, network, ipc, cpuset_cpus;
  std::map<std::string, std::string> labels;
  std::vector<Mount> mounts;
  std::map<std::string, std::string> tmpfs;
  std::optional<std::int64_t> shm_size, memory, pids_limit;
  std::optional<double> cpus;
  std::vector<RLimit> ulimits;
  std::vector<std::string> cap_add, cap_drop, security_opt;
  bool init = true, read_only = false, privileged = false;
  std::optional<int> stop_timeout;  // seconds
};

enum class ContainerStatus { created, running, paused, restarting, removing, exited, dead };

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
