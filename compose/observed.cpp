#include "compose/observed.hpp"

#include <algorithm>
#include <tuple>

#include "compose/labels.hpp"

namespace compose {

namespace {

using container::Engine;
using container::EngineError;
using container::Task;

std::string value(const StringMap& labels, const char* name) {
  const auto found = labels.find(name);
  return found == labels.end() ? std::string() : found->second;
}

// "db:service_healthy:false,cache:service_started:true" -> db, cache
Strings services_in(const std::string& label) {
  Strings all;
  for (std::size_t at = 0; at < label.size();) {
    const std::size_t end = std::min(label.find(',', at), label.size());
    const std::string entry = label.substr(at, end - at);
    const auto name = entry.substr(0, entry.find(':'));
    if (!name.empty()) all.push_back(name);
    at = end + 1;
  }
  return all;
}

std::string image_name(const container::ContainerState& state) {
  const std::string named = value(state.labels, label::image_name);
  return named.empty() ? state.image_name : named;
}

ObservedNetwork observed_network(const container::NetworkInfo& info) {
  return {.id = info.id,
          .name = info.name,
          .key = value(info.labels, label::network),
          .hash = value(info.labels, label::config_hash),
          .labels = info.labels};
}

ObservedVolume observed_volume(const container::VolumeInfo& info) {
  return {.name = info.name,
          .key = value(info.labels, label::volume),
          .hash = value(info.labels, label::config_hash),
          .labels = info.labels};
}

// nullopt where it is not there, or has gone meanwhile.
template <class T>
Task<std::optional<T>> if_there(Task<T> look) {
  try {
    co_return co_await std::move(look);
  } catch (const EngineError& error) {
    if (!error.not_found()) throw;
  }
  co_return std::nullopt;
}

template <class Known>
bool has(const std::vector<Known>& known, const std::string& name) {
  return std::any_of(known.begin(), known.end(), [&](const auto& one) { return one.name == name; });
}

}  // namespace

ObservedContainer observed_container(const container::ContainerState& state) {
  ObservedContainer seen{
      .id = state.id,
      .name = state.name,
      .service = value(state.labels, label::service),
      .number = std::atoi(value(state.labels, label::number).c_str()),
      .oneoff = value(state.labels, label::oneoff) == "True",
      .hash = value(state.labels, label::config_hash),
      .image = image_name(state),
      .status = state.status,
      .health = state.health.status,
      .exit_code = state.exit_code,
      .started = !state.started_at.empty() && !state.started_at.starts_with("0001-"),
      .depends_on = services_in(value(state.labels, label::depends_on)),
      .labels = state.labels,
      .stop_signal = state.stop_signal,
      .stop_timeout = state.stop_timeout};
  for (const auto& [name, network] : state.networks) seen.networks[name] = network.network_id;
  return seen;
}

Task<Observed> observe(Engine& engine, const std::string& project) {
  Observed all;
  all.project = project;
  const std::map<std::string, std::string> of_project = {{label::project, project}};
  for (const auto& summary : co_await engine.list(of_project)) {
    const auto state = co_await if_there(engine.inspect(summary.id));
    if (state) all.containers.push_back(observed_container(*state));
  }
  for (const auto& info : co_await engine.networks().list(of_project))
    all.networks.push_back(observed_network(info));
  for (const auto& info : co_await engine.volumes().list(of_project))
    all.volumes.push_back(observed_volume(info));
  std::sort(all.containers.begin(), all.containers.end(), [](const auto& a, const auto& b) {
    return std::tie(a.service, a.oneoff, a.number, a.name) <
           std::tie(b.service, b.oneoff, b.number, b.name);
  });
  co_return all;
}

Task<Observed> observe_for(Engine& engine, const Desired& wanted) {
  Observed all = co_await observe(engine, wanted.project);
  for (const auto& network : wanted.networks) {
    if (has(all.networks, network.spec.name)) continue;
    const auto other = co_await if_there(engine.networks().inspect(network.spec.name));
    if (other && other->name == network.spec.name)
      all.foreign_networks.push_back(observed_network(*other));
  }
  for (const auto& volume : wanted.volumes) {
    if (has(all.volumes, volume.spec.name)) continue;
    const auto other = co_await if_there(engine.volumes().inspect(volume.spec.name));
    if (other) all.foreign_volumes.push_back(observed_volume(*other));
  }
  for (const auto& one : wanted.containers) {
    if (has(all.containers, one.spec.name)) continue;
    const auto other = co_await if_there(engine.inspect(one.spec.name));
    if (other && other->name == one.spec.name)
      all.foreign_containers.push_back(observed_container(*other));
  }
  co_return all;
}

}  // namespace compose
