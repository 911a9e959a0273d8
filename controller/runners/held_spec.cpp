#include "controller/runners/held_spec.hpp"

#include "campaign/plan/names.hpp"
#include "container/digest.hpp"
#include "container/engine_json.hpp"
#include "container/labels.hpp"
#include "controller/runners/gpus.hpp"
#include "controller/runners/runner.hpp"

namespace controller {

namespace {

using Strings = std::vector<std::string>;

constexpr char launcher_inside[] = "/campaign/launch";
constexpr char ctl_inside[] = "/campaign/ctl";

// Whoever can say `exec` must say the user: an exec's default is the container's, not the image's.
std::string exec_user(const DockerSpecRequest& request, const container::ImageInfo& image) {
  std::string user = user_of(request);
  if (!user.empty()) return user;
  return image.user.empty() ? "0:0" : image.user;
}

container::OtherGpus others_beside(const DockerSpecRequest& request) {
  const bool privileged = request.attempt->runner->privileged ||
                          (request.service != nullptr && request.service->privileged);
  return privileged ? container::OtherGpus::allowed : container::OtherGpus::refused;
}

container::ExecRun exec_base(const DockerSpecRequest& request) {
  const container::ImageInfo& image = request.site->images.at(request.payload->image).info;
  container::ExecRun run;
  const GpuDevices devices = devices_of_client(*request.attempt);
  run.env = environment(request);
  // The container's own holds in it: what a file says for it is not how devices are given.
  std::erase_if(run.env,
                [](const auto& line) { return line.starts_with("NVIDIA_VISIBLE_DEVICES="); });
  set_variables(run.env, gpu_variables(devices, GpuNaming::uuids));
  run.launcher_flags =
      container::gpu_check_flags(container_devices(devices), others_beside(request));
  run.user = exec_user(request, image);
  run.working_dir = !request.payload->workdir.empty() ? request.payload->workdir
                    : image.workdir.empty()           ? "/"
                                                      : image.workdir;
  run.launcher = launcher_inside;
  return run;
}

container::PublishedPort published(const std::string& text) {
  const auto last = text.rfind(':');
  container::PublishedPort port{.target = std::stoi(text.substr(last + 1))};
  if (last == text.npos) {
    port.target = std::stoi(text);
    return port;
  }
  const std::string rest = text.substr(0, last);
  const auto colon = rest.rfind(':');
  port.published = colon == rest.npos ? rest : rest.substr(colon + 1);
  if (colon != rest.npos) port.host_ip = rest.substr(0, colon);
  return port;
}

}  // namespace

std::string service_of(const campaign::Campaign& campaign, const Attempt& attempt) {
  if (attempt.runner->type == campaign::RunnerType::compose) return attempt.runner->service;
  const std::string& backend = attempt.experiment->backend;
  return campaign.runners.contains(backend) ? backend : "runner";
}

std::string held_name(const std::string& uid, const std::string& service, int worker) {
  return "cctl-" + uid.substr(0, 8) + "-" + campaign::safe_name(service) + "-w" +
         std::to_string(worker);
}

std::vector<SharedFolder> shared_folders(const campaign::ResultsFolder& results) {
  return {{results.folder / "attempts", "/campaign/runs"},
          {results.folder / "pilot", "/campaign/pilot"},
          {results.folder / "warmup", "/campaign/warmup"},
          {results.folder / "home", "/campaign/home"},
          {results.folder / "ctl", ctl_inside},
          {results.folder / "ctl", "/campaign/config", true}};
}

container::ContainerSpec held_spec(const DockerSpecRequest& request,
                                   const campaign::ResultsFolder& results) {
  const Attempt& attempt = *request.attempt;
  const SiteImage& image = request.site->images.at(request.payload->image);
  if (!image.launcher)
    throw PrepareError(campaign::FailureClass::config,
                       "image " + request.payload->image +
                           " is for another architecture: our launcher cannot run in it, and "
                           "`strategy: persistent` needs it");
  container::ContainerSpec spec = spec_base(request);
  spec.name = attempt.container_name;
  spec.image = image.info.id;
  spec.entrypoint = Strings{launcher_inside, "--hold"};
  spec.command.clear();
  spec.user = user_of(request);
  for (const SharedFolder& folder : shared_folders(results))
    spec.mounts.push_back(
        {.source = folder.here.string(), .target = folder.inside, .read_only = folder.read_only});
  add_common_mounts(spec, request, image);
  apply_settings(spec, request);
  pass_devices(spec, devices_of_client(attempt), *request.site);
  if (!request.service) spec.health = container::HealthCheck{};
  const std::string hash = spec_hash(spec);
  for (const auto& [name, value] : labels(request)) spec.labels[name] = value;
  spec.labels.erase(container::label::run);
  spec.labels.erase(container::label::attempt);
  spec.labels[container::label::service] = attempt.service;
  spec.labels[container::label::worker] = std::to_string(attempt.worker);
  spec.labels[container::label::spec_hash] = hash;
  return spec;
}

container::ExecRun exec_run(const DockerSpecRequest& request) {
  const Attempt& attempt = *request.attempt;
  container::ExecRun run = exec_base(request);
  run.name = attempt.name();
  run.command = full_command(request, request.site->images.at(request.payload->image).info);
  if (attempt.runner->window)
    run.launcher_flags.insert(run.launcher_flags.end(),
                              {"--window-begin", attempt.runner->window->begin, "--window-end",
                               attempt.runner->window->end});
  run.out = std::string(ctl_inside) + "/" + attempt.name();
  run.out_here = attempt.paths.ctl;
  return run;
}

container::ExecRun warmup_run(const DockerSpecRequest& request, int n) {
  const Attempt& attempt = *request.attempt;
  const std::string part = "warmup-" + std::to_string(n);
  container::ExecRun run = exec_base(request);
  run.name = attempt.name() + "." + part;
  run.command = request.payload->command;
  run.out = std::string(ctl_inside) + "/" + attempt.name() + "/" + part;
  run.out_here = attempt.paths.ctl / part;
  return run;
}

container::ContainerSpec server_spec(const DockerSpecRequest& request, const Strings& ports) {
  const Attempt& attempt = *request.attempt;
  const SiteImage& image = request.site->images.at(request.payload->image);
  if (!image.launcher)
    throw PrepareError(campaign::FailureClass::config,
                       "image " + request.payload->image +
                           " is for another architecture: our launcher cannot run in it, and "
                           "`server` needs it");
  const std::string& uid = request.belonging->uid;
  container::ContainerSpec spec = spec_base(request);
  spec.name = container_name(uid, attempt.run, attempt.number) + "-server";
  spec.image = image.info.id;
  spec.entrypoint =
      Strings{launcher_inside, "--run", attempt.name() + "-server", "--out", ctl_inside, "--"};
  spec.command = full_command(request, image.info);
  spec.env = environment(request);
  spec.user = user_of(request);
  spec.mounts.push_back({.source = (attempt.paths.ctl / "server").string(), .target = ctl_inside});
  spec.mounts.push_back({.source = attempt.paths.home.string(), .target = "/campaign/home"});
  spec.mounts.push_back({.source = (attempt.paths.ctl / "config.yaml").string(),
                         .target = "/campaign/config.yaml",
                         .read_only = true});
  add_common_mounts(spec, request, image);
  apply_settings(spec, request);
  pass_devices(spec, attempt.devices, *request.site);
  add_gpu_variables(spec, attempt.devices);
  check_devices(spec, attempt.devices);
  for (const std::string& text : ports) spec.ports.push_back(published(text));
  spec.networks.back().aliases = {"server"};
  for (const auto& [name, value] : labels(request)) spec.labels[name] = value;
  spec.labels[container::label::server] = "";
  return spec;
}

container::NetworkSpec network_spec(const Belonging& whose, int worker) {
  container::NetworkSpec spec{.name = network_name(whose.uid, worker)};
  spec.labels = owner_labels(whose);
  spec.labels[container::label::worker] = std::to_string(worker);
  return spec;
}

std::string spec_hash(container::ContainerSpec spec) {
  spec.name.clear();
  spec.labels.clear();
  const auto own = [](const container::Mount& mount) {
    return mount.target == ctl_inside || mount.target == "/campaign/config.yaml" ||
           mount.target == "/campaign/home";
  };
  std::erase_if(spec.mounts, own);
  if (spec.entrypoint && spec.entrypoint->size() > 2) (*spec.entrypoint)[2].clear();
  std::erase_if(spec.env, [](const std::string& line) { return line.starts_with("CAMPAIGN_"); });
  return container::sha256_hex(container::engine_json::create_body(spec));
}

}  // namespace controller
