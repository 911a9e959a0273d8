// A container's counters from the files of its control group, version 1 and 2.
#pragma once

#include <map>

#include "controller/telemetry/sensor.hpp"

namespace controller::telemetry {

// Where the groups of a process are, by /proc/<pid>/cgroup: controller -> path below its mount.
// "" is version 2's.
using CgroupPaths = std::map<std::string, std::string>;
CgroupPaths cgroup_paths(const Roots& roots, std::int64_t pid);

// Finds the groups of containers of one engine. The first is found by the number of its main
// process, the others by the same paths with another id in them, without asking anybody.
class CgroupFinder {
 public:
  explicit CgroupFinder(Roots roots) : roots_(std::move(roots)) {}
  // By what is known of others; nullopt: its process has to be looked up.
  std::optional<CgroupPaths> known(const std::string& container_id) const;
  // By its process. nullopt: the paths do not name the container (another machine's process, a
  // namespace of its own), or it is gone.
  std::optional<CgroupPaths> by_process(const std::string& container_id, std::int64_t pid);

 private:
  bool there(const CgroupPaths& paths) const;
  Roots roots_;
  CgroupPaths pattern_;  // with id_mark in place of an id
};

struct CgroupRequest {
  Roots roots;
  CgroupPaths paths;
  std::string source;  // payload, server
  Counts counts = Counts::from_zero;
};
Found open_cgroup(const CgroupRequest& request);

}  // namespace controller::telemetry
