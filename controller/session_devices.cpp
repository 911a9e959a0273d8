#include <unistd.h>

#include <algorithm>

#include "container/labels.hpp"
#include "controller/errors.hpp"
#include "controller/gpu/broker.hpp"
#include "controller/progress/format.hpp"
#include "controller/session_run.hpp"

namespace controller {

namespace {

using campaign::GpuWish;
using Kind = GpuWish::Kind;

// As a service of a compose file asks for GPUs.
std::optional<GpuWish> reserved(const compose::Service& service) {
  for (const compose::DeviceRequest& request : service.device_requests) {
    const bool gpu = request.driver == "nvidia" || request.driver == "cdi" ||
                     std::ranges::find(request.capabilities, "gpu") != request.capabilities.end();
    if (!gpu) continue;
    if (!request.device_ids.empty())
      return GpuWish{.kind = Kind::ids, .count = 0, .ids = request.device_ids};
    if (request.count.value_or(-1) < 0) return GpuWish{.kind = Kind::all};
    return GpuWish{.kind = Kind::count, .count = static_cast<int>(*request.count)};
  }
  return std::nullopt;
}

bool made_for_gpus(const container::ImageInfo& image) {
  return std::ranges::any_of(image.env, [](const std::string& line) {
    return line.starts_with("CUDA_VERSION=") || line.starts_with("NVIDIA_");
  });
}

bool host_has_gpus() {
  return access("/dev/nvidiactl", F_OK) == 0 || access("/dev/kfd", F_OK) == 0;
}

bool asks(const GpuWish& wish) { return wish.kind != Kind::none; }

// What others hold. A device of a run of ours that is under way, or of a container of ours, is not
// theirs, whoever is seen on it.
gpu::Taken taken_by_others(const gpu::Inventory& inventory, const gpu::Neighbours& neighbours,
                           const std::vector<std::string>& ours) {
  gpu::Taken taken = neighbours.taken;
  for (const gpu::Device& device : inventory.devices) {
    if (device.mig) continue;
    if (const auto holder = gpu::lease_holder(gpu::lease_folder, device.uuid)) {
      taken[device.uuid] = "leased by " + *holder;
    } else if (std::ranges::find(ours, device.uuid) == ours.end()) {
      const std::string why = gpu::why_not_free(device);
      if (!why.empty()) taken.emplace(device.uuid, why);
    }
  }
  return taken;
}

gpu::Demand demand(const campaign::Experiment& experiment, const GpuWish& wish,
                   const gpu::Pool& pool, const gpu::Inventory& inventory) {
  try {
    return gpu::demand_of(wish, pool, inventory.devices);
  } catch (const CommandError& error) {
    throw CommandError(error.code, experiment.name + ": " + error.what());
  }
}

std::string places_text(const gpu::Inventory& inventory) {
  std::string text;
  for (const gpu::Place& place : inventory.places)
    text += "\n  " + place.name + ": " + place.finding;
  return text;
}

}  // namespace

// By experiment; `none` too where nothing is said.
std::vector<GpuWish> SessionRun::gpu_wishes() {
  std::vector<GpuWish> wishes;
  bool unsaid = false;
  for (const campaign::Experiment& experiment : state_.manifest.plan.experiments) {
    const campaign::Runner runner = *campaign::runner_of(state_.campaign, experiment);
    std::optional<GpuWish> wish = runner.gpus;
    if (!wish && project_ && runner.type == campaign::RunnerType::compose)
      wish = reserved(project_->services.at(runner.service));
    if (!wish && state_.campaign.gpus.kind == Kind::none) wish = GpuWish{.kind = Kind::none};
    const std::string image = campaign::image_of(state_.campaign, experiment);
    if (!wish && site_ && site_->images.contains(image) &&
        made_for_gpus(site_->images.at(image).info))
      throw CommandError(ExitCode::usage,
                         experiment.name + ": image " + image +
                             " is made for GPUs and nothing says whether its runs get any\n  say "
                             "`gpus: 1` or `gpus: none` in its runner");
    unsaid |= !wish;
    wishes.push_back(wish.value_or(GpuWish{.kind = Kind::none}));
  }
  if (unsaid && host_has_gpus())
    request_.progress->note(
        "this host has GPUs, and runs whose runner says nothing of `gpus` get none");
  return wishes;
}

// Of the engine's running containers, by their label.
Task<gpu::Neighbours> SessionRun::device_neighbours() {
  gpu::Neighbours neighbours;
  if (!engine_) co_return neighbours;
  for (const auto& one : co_await engine_->list({{container::label::gpus, ""}})) {
    if (one.status != container::ContainerStatus::running &&
        one.status != container::ContainerStatus::paused)
      continue;
    const auto uid = one.labels.find(container::label::uid);
    if (uid != one.labels.end() && uid->second == state_.manifest.uid) {
      neighbours.ours.push_back(one.id);
      continue;
    }
    for (const std::string& uuid : text::split(one.labels.at(container::label::gpus), ','))
      neighbours.taken[uuid] = "container " + one.name + " has it";
  }
  co_return neighbours;
}

void SessionRun::make_broker() {
  const std::vector<GpuWish> wishes = gpu_wishes();
  if (std::ranges::none_of(wishes, asks)) return;
  const campaign::Plan& plan = state_.manifest.plan;
  std::vector<std::string> ours;
  for (const auto& [run, state] : state_.fold.runs)
    if (state.phase == campaign::RunPhase::running)
      for (const std::string& uuid : text::split(state.gpus, ',')) ours.push_back(uuid);
  const gpu::Inventory inventory = gpu::discover({});
  const gpu::Grant grant =
      gpu::grant_of(inventory.devices, gpu::grant_words(campaign::process_environment()));
  const gpu::Neighbours neighbours = during_setup(device_neighbours());
  const gpu::Taken taken = taken_by_others(inventory, neighbours, ours);
  const gpu::Pool pool = gpu::pool_of(
      {.wish = state_.campaign.gpus, .grant = grant, .all = inventory.devices, .taken = taken});
  if (pool.devices.empty() && state_.campaign.gpus.kind != Kind::none)
    throw CommandError(ExitCode::environment,
                       "runs ask for GPUs and there are none to be had here\n  granted: " +
                           grant.cause + "\n  " + pool.cause + places_text(inventory));
  std::vector<gpu::Demand> demands;
  for (std::size_t i = 0; i < wishes.size(); ++i)
    demands.push_back(demand(plan.experiments[i], wishes[i], pool, inventory));
  request_.progress->note("GPUs: " + gpu::listing(pool.devices) + " (" + pool.cause + ")");
  const campaign::Execution& execution = state_.campaign.execution;
  const auto usual =
      execution.workers > 1 ? campaign::GpuPlacement::rotate : campaign::GpuPlacement::same;
  broker_ = std::make_unique<gpu::Broker>(
      gpu::BrokerParts{.clock = &clock_,
                       .wake = &loop_.wake,
                       .campaign = state_.campaign.name,
                       .wait = state_.campaign.gpus_wait,
                       .placement = execution.placement.value_or(usual),
                       .demands = std::move(demands),
                       .discovery = {},
                       .neighbours = [this] { return device_neighbours(); },
                       .given_up = [this] { return loop_.stop.no_new_runs(); }});
  for (const campaign::PlannedRun& run : plan.runs)
    broker_->count(run.experiment, state_.fold.run(campaign::run_id(plan, run)).gpus);
}

}  // namespace controller
