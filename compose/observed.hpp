// What an engine has of a project, found by labels: whatever carries the project's name, and
// whatever stands in the way under a name that the project wants.
#pragma once

#include "compose/desired.hpp"
#include "container/engine.hpp"

namespace compose {

struct ObservedContainer {
  std::string id, name, service;
  int number = 0;
  bool oneoff = false;
  std::string hash, image;  // the image as the file that it was made from names it
  container::ContainerStatus status = container::ContainerStatus::created;
  container::Health health = container::Health::none;
  int exit_code = 0;
  bool started = false;                              // ever
  std::map<std::string, std::string> networks = {};  // name -> id
  Strings depends_on = {};                           // services, as its label says
  StringMap labels = {};
  std::string stop_signal = {};
  std::optional<int> stop_timeout = {};
};

struct ObservedNetwork {
  std::string id, name, key, hash;
  StringMap labels = {};
};

struct ObservedVolume {
  std::string name, key, hash;
  StringMap labels = {};
};

struct Observed {
  std::string project;
  std::vector<ObservedContainer> containers;  // by service, number, name
  std::vector<ObservedNetwork> networks;
  std::vector<ObservedVolume> volumes;
  // What has the name of something desired without being the project's.
  std::vector<ObservedContainer> foreign_containers;
  std::vector<ObservedNetwork> foreign_networks;
  std::vector<ObservedVolume> foreign_volumes;
};

container::Task<Observed> observe(container::Engine& engine, const std::string& project);
// And what stands under the names that `wanted` has, external networks and volumes included.
container::Task<Observed> observe_for(container::Engine& engine, const Desired& wanted);

ObservedContainer observed_container(const container::ContainerState& state);

}  // namespace compose
