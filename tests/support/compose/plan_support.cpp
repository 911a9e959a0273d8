#include "tests/support/compose/plan_support.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "compose/labels.hpp"
#include "compose/loader/loader.hpp"

namespace compose::test {

namespace fs = std::filesystem;

Project project_of(const std::string& yaml, const std::string& name, const Strings& services) {
  std::string pattern = (fs::temp_directory_path() / "compose-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
  const fs::path file = fs::path(pattern) / "compose.yaml";
  std::ofstream(file) << yaml;
  LoadRequest request;
  request.files = {file.string()};
  request.working_dir = pattern;
  request.project_name = name;
  request.services = services;
  Project project = load_project(request).project;
  fs::remove_all(pattern);
  return project;
}

Observed running(const Desired& wanted) {
  Observed seen;
  seen.project = wanted.project;
  for (const auto& network : wanted.networks)
    seen.networks.push_back({.id = "net-" + network.spec.name,
                             .name = network.spec.name,
                             .key = network.key,
                             .hash = network.hash,
                             .labels = network.spec.labels});
  for (const auto& volume : wanted.volumes)
    seen.volumes.push_back({.name = volume.spec.name,
                            .key = volume.key,
                            .hash = volume.hash,
                            .labels = volume.spec.labels});
  for (const auto& one : wanted.containers) {
    container::ContainerState state;
    state.id = "id-" + one.spec.name;
    state.name = one.spec.name;
    state.status = container::ContainerStatus::running;
    state.started_at = "2026-01-01T00:00:00Z";
    state.labels = one.spec.labels;
    for (const auto& network : one.spec.networks)
      state.networks[network.network].network_id = "net-" + network.network;
    seen.containers.push_back(observed_container(state));
  }
  return seen;
}

ObservedContainer& container_in(Observed& seen, const std::string& name) {
  for (auto& one : seen.containers)
    if (one.name == name) return one;
  throw std::runtime_error("no container " + name);
}

}  // namespace compose::test
