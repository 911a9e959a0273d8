// What a project is to be on an engine: every container, network and volume as the engine is asked
// for it, with a hash by which a change is known. Reads nothing but seccomp profiles, which an
// engine wants by content.
#pragma once

#include <functional>

#include "compose/service_spec.hpp"
#include "container/networks.hpp"
#include "container/tar.hpp"
#include "container/volumes.hpp"

namespace compose {

// Beside the project itself.
struct DesiredOptions {
  StringMap labels = {};  // on everything that is made: whose it is
  StringMap image_ids =
      {};  // by image as the service names it; one that is missing is named instead
  // Changes a service's container before its hash is taken: mounts, devices, a main process that
  // stays.
  std::function<void(const Service&, container::ContainerSpec&)> adjust = {};
};

struct DesiredContainer {
  std::string service;
  int number = 1;
  container::ContainerSpec spec;
  std::string hash;
  std::vector<container::TarFile> files = {};  // put below / before the start
  Strings folders = {};  // of the host, made where they are missing: sources of mounts
};

struct DesiredNetwork {
  std::string key;
  bool external = false;
  container::NetworkSpec spec;
  std::string hash;
};

struct DesiredVolume {
  std::string key;
  bool external = false;
  container::VolumeSpec spec;
  std::string hash;
};

struct Desired {
  std::string project;
  std::vector<DesiredContainer> containers;  // services by name, then number
  std::vector<DesiredNetwork> networks;
  std::vector<DesiredVolume> volumes;
  Strings warnings;  // what the engine cannot be told
};

// NotPossible names what cannot be made, with its service.
Desired desired(const Project& project, const DesiredOptions& options);

// The n-th container of a service, from 1. NotPossible where the project has no such service.
DesiredContainer desired_container(const Project& project, const std::string& service, int number,
                                   const DesiredOptions& options);

// What `docker compose run --rm` makes of a service: no ports, no restart, not found under the
// service's name, left alone by a plain `down`. `slug` are 64 hexadecimal digits, drawn by the
// caller.
struct OneOffOptions {
  std::string slug;
  std::optional<Strings> command = {};  // in place of the service's
  DesiredOptions common = {};
};
DesiredContainer desired_oneoff(const Project& project, const std::string& service,
                                const OneOffOptions& options);

// Those that are missing, before an engine makes them as root. Throws NotPossible.
void make_folders(const Strings& folders);

}  // namespace compose
