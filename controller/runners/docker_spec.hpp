// The container of an attempt, as a plain description. Pure.
#pragma once

#include "container/engine.hpp"
#include "controller/runners/payload.hpp"
#include "controller/runners/site.hpp"

namespace controller {

// What every container of a session carries.
struct Belonging {
  std::string uid, campaign_id, session, controller, host, lock;
};

struct DockerSpecRequest {
  const Attempt* attempt = nullptr;
  const Payload* payload = nullptr;
  const Site* site = nullptr;
  const Belonging* belonging = nullptr;
};
// Throws PrepareError(config) when neither the image nor the campaign names a command.
container::ContainerSpec docker_spec(const DockerSpecRequest& request);

// "cctl-<uid8>-<run>-a<attempt>"
std::string container_name(const std::string& uid, const std::string& run, int attempt);
// The launcher's own part of a command line, up to and with "--".
std::vector<std::string> launcher_argv(const Attempt& attempt, const std::string& launcher,
                                       const std::string& out);

}  // namespace controller
