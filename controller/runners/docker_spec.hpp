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
  std::string home = "/campaign/home";  // HOME of `user: host`
  // What the compose file makes of it, where it is a service: what the runner says goes before it.
  const container::ContainerSpec* service = nullptr;
};
// What the spec of any container of ours begins with.
container::ContainerSpec spec_base(const DockerSpecRequest& request);
// Throws PrepareError(config) when neither the image nor the campaign names a command.
container::ContainerSpec docker_spec(const DockerSpecRequest& request);

// "cctl-<uid8>-<run>-a<attempt>"
std::string container_name(const std::string& uid, const std::string& run, int attempt);
// "cctl-<uid8>-w<worker>": where a server and its client meet.
std::string network_name(const std::string& uid, int worker);

// What containers of the same runner have in common, whatever they are for.
std::vector<std::string> full_command(const DockerSpecRequest& request,
                                      const container::ImageInfo& image);
std::string user_of(const DockerSpecRequest& request);                   // "" = the image's
std::vector<std::string> environment(const DockerSpecRequest& request);  // K=V
std::map<std::string, std::string> labels(const DockerSpecRequest& request);
// Of whatever a session makes on an engine: whose it is.
std::map<std::string, std::string> owner_labels(const Belonging& whose);
// The launcher, the passwd file and the runner's volumes.
void add_common_mounts(container::ContainerSpec& spec, const DockerSpecRequest& request,
                       const SiteImage& image);
// The variables by which a payload that has the container to itself finds its devices.
void add_gpu_variables(container::ContainerSpec& spec, const std::vector<gpu::Device>& devices);
// Limits, rights and network.
void apply_settings(container::ContainerSpec& spec, const DockerSpecRequest& request);

// The launcher's own part of a command line, up to and with "--".
std::vector<std::string> launcher_argv(const Attempt& attempt, const std::string& launcher,
                                       const std::string& out);

}  // namespace controller
