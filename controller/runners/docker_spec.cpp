#include "controller/runners/docker_spec.hpp"

#include <cmath>

#include "container/labels.hpp"
#include "controller/runners/gpus.hpp"
#include "controller/runners/runner.hpp"

namespace controller {

namespace {

using Strings = std::vector<std::string>;

Strings joined(Strings first, const Strings& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

Strings full_command(const DockerSpecRequest& request, const container::ImageInfo& image) {
  const Payload& payload = *request.payload;
  Strings command;
  if (payload.entrypoint_set)
    command = joined(payload.entrypoint, payload.command);
  else
    command = joined(image.entrypoint, payload.command.empty() ? image.command : payload.command);
  if (command.empty())
    throw PrepareError(campaign::FailureClass::config,
                       "image " + payload.image + " has no command of its own: say `command`");
  return command;
}

std::string user_of(const DockerSpecRequest& request) {
  const std::string& user = request.attempt->runner->user;
  if (user == "image") return request.payload->own_user;
  return user == "host" ? request.site->user : user;
}

Strings environment(const DockerSpecRequest& request) {
  std::map<std::string, std::string> env = request.payload->env;
  if (request.attempt->runner->user == "host")
    env.merge(std::map<std::string, std::string>{{"HOME", request.home},
                                                 {"USER", request.site->user_name},
                                                 {"XDG_CACHE_HOME", request.home + "/.cache"}});
  Strings lines;
  for (const auto& [name, value] : env) lines.push_back(name + "=" + value);
  return lines;
}

void add_common_mounts(container::ContainerSpec& spec, const DockerSpecRequest& request,
                       const SiteImage& image) {
  if (image.launcher)
    spec.mounts.push_back(
        {.source = request.site->launcher, .target = "/campaign/launch", .read_only = true});
  if (!image.passwd.empty() && request.attempt->runner->user == "host")
    spec.mounts.push_back({.source = image.passwd, .target = "/etc/passwd", .read_only = true});
  for (const campaign::Volume& volume : request.payload->volumes) {
    std::erase_if(spec.mounts, [&](const auto& other) { return other.target == volume.target; });
    spec.mounts.push_back({.source = volume.source,
                           .target = volume.target,
                           .read_only = volume.read_only,
                           .volume = volume.source.find_first_of("/.") == std::string::npos});
  }
}

std::map<std::string, std::string> owner_labels(const Belonging& whose) {
  namespace label = container::label;
  return {{label::uid, whose.uid},         {label::campaign, whose.campaign_id},
          {label::session, whose.session}, {label::controller, whose.controller},
          {label::host, whose.host},       {label::lock, whose.lock}};
}

std::map<std::string, std::string> labels(const DockerSpecRequest& request) {
  const Attempt& attempt = *request.attempt;
  namespace label = container::label;
  auto all = owner_labels(*request.belonging);
  all[label::run] = attempt.run;
  all[label::attempt] = std::to_string(attempt.number);
  all[label::spec_hash] = attempt.experiment->hash;
  return all;
}

// What is there inside are these devices alone, except in a privileged container.
void add_gpu_variables(container::ContainerSpec& spec, const std::vector<gpu::Device>& devices) {
  set_variables(spec.env,
                gpu_variables(devices, spec.privileged ? GpuNaming::uuids : GpuNaming::numbers));
}

namespace {

template <class Setting>
void put(Setting& into, const Setting& said) {
  if (said != Setting()) into = said;
}

void add(Strings& into, const Strings& said) { into = joined(std::move(into), said); }

// The network of server and client comes beside those of a service.
void apply_network(container::ContainerSpec& spec, const DockerSpecRequest& request) {
  const campaign::Runner& runner = *request.attempt->runner;
  if (!runner.network.empty()) {
    spec.network = runner.network;
    spec.networks.clear();
  }
  if (!runner.server) return;
  if (!spec.network.empty())
    throw PrepareError(campaign::FailureClass::config,
                       "service " + runner.service + " has the network mode " + spec.network +
                           ": with a `server` it must be in a network with it");
  spec.networks.push_back(
      {.network = network_name(request.belonging->uid, request.attempt->worker)});
}

}  // namespace

container::ContainerSpec spec_base(const DockerSpecRequest& request) {
  if (!request.service) return {};
  container::ContainerSpec spec = *request.service;
  spec.restart = {};  // whether it is begun again is ours to say
  spec.tty = spec.stdin_open = false;
  return spec;
}

void apply_settings(container::ContainerSpec& spec, const DockerSpecRequest& request) {
  const campaign::Runner& runner = *request.attempt->runner;
  for (const auto& [target, options] : runner.tmpfs) spec.tmpfs[target] = options;
  put(spec.shm_size, runner.shm_size);
  put(spec.memory, runner.memory);
  put(spec.pids_limit, runner.pids_limit);
  put(spec.cpus, runner.cpus);
  put(spec.cpuset_cpus, runner.cpuset_cpus);
  for (const campaign::Ulimit& limit : runner.ulimits) {
    std::erase_if(spec.ulimits, [&](const auto& other) { return other.name == limit.name; });
    spec.ulimits.push_back({limit.name, limit.soft, limit.hard});
  }
  add(spec.cap_add, runner.cap_add);
  add(spec.cap_drop, runner.cap_drop);
  add(spec.security_opt, runner.security_opt);
  put(spec.ipc, runner.ipc);
  apply_network(spec, request);
  spec.init = runner.init;
  spec.read_only |= runner.read_only;
  spec.privileged |= runner.privileged;
  spec.stop_timeout = static_cast<int>(std::ceil(request.attempt->grace()));
}

std::string network_name(const std::string& uid, int worker) {
  return "cctl-" + uid.substr(0, 8) + "-w" + std::to_string(worker);
}

std::string container_name(const std::string& uid, const std::string& run, int attempt) {
  return "cctl-" + uid.substr(0, 8) + "-" + run + "-a" + std::to_string(attempt);
}

Strings launcher_argv(const Attempt& attempt, const std::string& launcher, const std::string& out) {
  Strings argv = {launcher, "--run", attempt.name(), "--out", out};
  if (attempt.runner->window)
    argv = joined(argv, {"--window-begin", attempt.runner->window->begin, "--window-end",
                         attempt.runner->window->end});
  argv.push_back("--");
  return argv;
}

container::ContainerSpec docker_spec(const DockerSpecRequest& request) {
  const SiteImage& image = request.site->images.at(request.payload->image);
  container::ContainerSpec spec = spec_base(request);
  spec.name = request.attempt->container_name;
  spec.image = image.info.id;
  const Strings command = full_command(request, image.info);
  if (image.launcher) {
    spec.entrypoint = launcher_argv(*request.attempt, "/campaign/launch", "/campaign/ctl");
    spec.command = command;
  } else {
    spec.entrypoint = Strings{command.front()};
    spec.command = Strings(command.begin() + 1, command.end());
  }
  spec.env = environment(request);
  spec.user = user_of(request);
  spec.working_dir = request.payload->workdir;
  for (const auto& [name, value] : labels(request)) spec.labels[name] = value;
  const AttemptPaths& paths = request.attempt->paths;
  spec.mounts.push_back({.source = paths.results.string(), .target = "/campaign/results"});
  spec.mounts.push_back({.source = paths.home.string(), .target = "/campaign/home"});
  spec.mounts.push_back({.source = (paths.ctl / "config.yaml").string(),
                         .target = "/campaign/config.yaml",
                         .read_only = true});
  if (image.launcher)
    spec.mounts.push_back({.source = paths.ctl.string(), .target = "/campaign/ctl"});
  add_common_mounts(spec, request, image);
  apply_settings(spec, request);
  const GpuDevices devices = devices_of_client(*request.attempt);
  pass_devices(spec, devices, *request.site);
  add_gpu_variables(spec, devices);
  if (image.launcher) check_devices(spec, devices);
  return spec;
}

}  // namespace controller
