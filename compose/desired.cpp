#include "compose/desired.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <stdexcept>

#include "compose/labels.hpp"
#include "compose/service_spec.hpp"
#include "container/digest.hpp"
#include "container/engine_json.hpp"

namespace compose {

namespace {

using container::ContainerSpec;

std::string joined(const Strings& words) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : ",") + word;
  return all;
}

std::string depends_on_label(const Service& service) {
  Strings all;
  for (const auto& [name, dependency] : service.depends_on)
    all.push_back(name + ":" + std::string(text(dependency.condition)) + ":" +
                  (dependency.restart ? "true" : "false"));
  return joined(all);
}

void put_labels(StringMap& labels, const Project& project, const StringMap& whose) {
  labels.insert(whose.begin(), whose.end());
  labels[label::project] = project.name;
}

void put_service_labels(ContainerSpec& spec, const Project& project, const Service& service) {
  spec.labels[label::service] = service.name;
  spec.labels[label::image] = spec.image;
  spec.labels[label::image_name] = service.image;
  spec.labels[label::depends_on] = depends_on_label(service);
  spec.labels[label::working_dir] = project.working_dir;
  spec.labels[label::config_files] = joined(project.compose_files);
  if (!project.environment_files.empty())
    spec.labels[label::environment_file] = joined(project.environment_files);
}

// What is sent, but for name and labels that say whose it is and where it came from.
std::string hash_of(ContainerSpec spec, const Service& service,
                    const std::vector<container::TarFile>& files) {
  spec.labels = service.labels;
  std::string bytes = container::engine_json::create_body(spec);
  for (const auto& file : files) {
    bytes += "\n" + file.path + " " + std::to_string(file.mode) + " " + std::to_string(file.uid) +
             ":" + std::to_string(file.gid) + " " + container::sha256_hex(file.content);
  }
  return container::sha256_hex(bytes);
}

int number_of(const Service& service, const std::string& text, const char* what) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty()) return 0;
  if (error != std::errc() || end != text.data() + text.size())
    throw NotPossible("service " + service.name + ": " + what + " " + text +
                      " of a config or secret is no number");
  return value;
}

void add_files(std::vector<container::TarFile>& files, const Service& service,
               const std::vector<FileGrant>& grants,
               const std::map<std::string, FileObject>& objects) {
  for (const FileGrant& grant : grants) {
    const auto found = objects.find(grant.source);
    if (found == objects.end() || !found->second.file.empty()) continue;
    if (!found->second.content)
      throw NotPossible("service " + service.name + " uses " + grant.source + ", whose variable " +
                        found->second.environment + " is not set");
    files.push_back({.path = grant.target.substr(grant.target.find_first_not_of('/')),
                     .content = *found->second.content,
                     .mode = static_cast<int>(grant.mode.value_or(0444)),
                     .uid = number_of(service, grant.uid, "uid"),
                     .gid = number_of(service, grant.gid, "gid")});
  }
}

Strings folders_of(const Service& service) {
  Strings all;
  for (const Mount& mount : service.volumes)
    if (mount.type == MountType::bind && mount.create_host_path) all.push_back(mount.source);
  return all;
}

DesiredContainer container_of(const Project& project, const Service& service,
                              const DesiredOptions& options) {
  DesiredContainer made{
      .service = service.name, .spec = service_spec(project, service), .hash = {}};
  const auto id = options.image_ids.find(service.image);
  made.spec.image = id == options.image_ids.end() ? service.image : id->second;
  add_files(made.files, service, service.configs, project.configs);
  add_files(made.files, service, service.secrets, project.secrets);
  made.folders = folders_of(service);
  if (options.adjust) options.adjust(service, made.spec);
  made.hash = hash_of(made.spec, service, made.files);
  for (const auto& [name, value] : service.labels) made.spec.labels.emplace(name, value);
  put_labels(made.spec.labels, project, options.labels);
  put_service_labels(made.spec, project, service);
  made.spec.labels[label::config_hash] = made.hash;
  return made;
}

DesiredNetwork network_of(const Project& project, const Network& network, const StringMap& whose) {
  DesiredNetwork made{.key = network.key,
                      .external = network.external,
                      .spec = {.name = network.name,
                               .driver = network.driver,
                               .options = network.driver_opts,
                               .labels = network.labels,
                               .ipam_driver = network.ipam_driver,
                               .ipam_options = network.ipam_options,
                               .internal = network.internal,
                               .attachable = network.attachable,
                               .ipv6 = network.enable_ipv6.value_or(false)},
                      .hash = {}};
  for (const IpamPool& pool : network.ipam_pools)
    made.spec.pools.push_back({.subnet = pool.subnet,
                               .gateway = pool.gateway,
                               .ip_range = pool.ip_range,
                               .auxiliary = pool.aux_addresses});
  made.hash = container::sha256_hex(container::engine_json::network_body(made.spec));
  put_labels(made.spec.labels, project, whose);
  made.spec.labels[label::network] = network.key;
  made.spec.labels[label::config_hash] = made.hash;
  return made;
}

DesiredVolume volume_of(const Project& project, const Volume& volume, const StringMap& whose) {
  DesiredVolume made{.key = volume.key,
                     .external = volume.external,
                     .spec = {.name = volume.name,
                              .driver = volume.driver,
                              .options = volume.driver_opts,
                              .labels = volume.labels},
                     .hash = {}};
  made.hash = container::sha256_hex(container::engine_json::volume_body(made.spec));
  put_labels(made.spec.labels, project, whose);
  made.spec.labels[label::volume] = volume.key;
  made.spec.labels[label::config_hash] = made.hash;
  return made;
}

const Service& service_named(const Project& project, const std::string& name) {
  const auto found = project.services.find(name);
  if (found == project.services.end())
    throw NotPossible("there is no service " + name + " in project " + project.name);
  return found->second;
}

DesiredContainer numbered(DesiredContainer made, const Project& project, int number) {
  made.number = number;
  made.spec.name = container_name(project, project.services.at(made.service), number);
  made.spec.labels[label::number] = std::to_string(number);
  made.spec.labels[label::oneoff] = "False";
  return made;
}

}  // namespace

Desired desired(const Project& project, const DesiredOptions& options) {
  Desired all{
      .project = project.name, .containers = {}, .networks = {}, .volumes = {}, .warnings = {}};
  for (const auto& [key, network] : project.networks)
    all.networks.push_back(network_of(project, network, options.labels));
  for (const auto& [key, volume] : project.volumes)
    all.volumes.push_back(volume_of(project, volume, options.labels));
  for (const auto& [name, service] : project.services) {
    for (auto& line : without_effect(service)) all.warnings.push_back(std::move(line));
    if (service.replicas <= 0) continue;
    DesiredContainer made = container_of(project, service, options);
    for (int number = 1; number <= service.replicas; ++number)
      all.containers.push_back(numbered(made, project, number));
  }
  return all;
}

void make_folders(const Strings& folders) {
  for (const std::string& folder : folders) {
    std::error_code error;
    if (std::filesystem::exists(folder, error)) continue;
    std::filesystem::create_directories(folder, error);
    if (error)
      throw NotPossible("the folder " + folder + " of a mount cannot be made: " + error.message());
  }
}

DesiredContainer desired_container(const Project& project, const std::string& service, int number,
                                   const DesiredOptions& options) {
  return numbered(container_of(project, service_named(project, service), options), project, number);
}

DesiredContainer desired_oneoff(const Project& project, const std::string& service,
                                const OneOffOptions& options) {
  Service once = service_named(project, service);
  once.ports.clear();
  once.restart.reset();
  once.healthcheck.disabled = true;
  if (options.command) once.command = options.command;
  DesiredContainer made = container_of(project, once, options.common);
  made.spec.name = project.name + "-" + service + "-run-" + options.slug.substr(0, 12);
  for (auto& network : made.spec.networks) network.aliases = {made.spec.name};
  made.spec.labels[label::oneoff] = "True";
  made.spec.labels[label::slug] = options.slug;
  return made;
}

}  // namespace compose
