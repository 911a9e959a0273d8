// What a payload is told: its command line and environment, with every placeholder filled in. Pure
// but for env files.
#pragma once

#include "campaign/config/loader.hpp"
#include "campaign/state/manifest.hpp"
#include "compose/model.hpp"
#include "controller/attempt.hpp"

namespace controller {

// Paths as the payload sees them: inside a container, or on the host.
struct PayloadView {
  std::string config, results, home, exchange;
};
PayloadView container_view(const Attempt& attempt);
PayloadView host_view(const Attempt& attempt);
// In a container that many attempts share: folders by the attempt's name (held_spec.hpp).
PayloadView shared_view(const Attempt& attempt);
// The same for the command that warms up: what it writes is never a result.
PayloadView warmup_view(const Attempt& attempt);

struct PayloadContext {
  const campaign::Campaign* campaign = nullptr;
  const campaign::Manifest* manifest = nullptr;
  campaign::Environment environment;          // of the controller, for ${VAR} in env
  const compose::Project* project = nullptr;  // of `compose` runners
};

struct Payload {
  std::vector<std::string> entrypoint;  // empty = the image's
  bool entrypoint_set = false;
  std::vector<std::string> command;
  std::vector<std::string> launch;
  std::map<std::string, std::string> env;
  std::string image, workdir;
  std::string own_user;  // of `user: image`, where a service says one; "" = the image's
  std::vector<campaign::Volume> volumes;
};
// A `compose` runner leaves to its service what it does not say itself. Throws PrepareError(config)
// that names what is missing.
Payload resolve_payload(const PayloadContext& context, const Attempt& attempt,
                        const PayloadView& view);
// `warmup_command` in place of the command.
Payload resolve_warmup(const PayloadContext& context, const Attempt& attempt,
                       const PayloadView& view);
// The service that a runner's server is; "" = it has an image of its own, or the runner's.
std::string server_service(const campaign::Runner& runner);
// The server beside the runner's client, with its check; it has no results.
struct ServerPayload {
  Payload payload;
  std::vector<std::string> ports;
  std::optional<campaign::Ready> ready;
};
ServerPayload resolve_server(const PayloadContext& context, const Attempt& attempt,
                             const PayloadView& view);

}  // namespace controller
