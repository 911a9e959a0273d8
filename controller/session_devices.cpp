#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "campaign/config/placeholders.hpp"
#include "container/labels.hpp"
#include "controller/errors.hpp"
#include "controller/gpu/broker.hpp"
#include "controller/progress/format.hpp"
#include "controller/runners/gpus.hpp"
#include "controller/session_run.hpp"

namespace controller {

namespace {

using campaign::GpuWish;
using Kind = GpuWish::Kind;

// "nvidia.com/gpu=0": what follows the `=`; "" = it is no GPU's name.
std::string named_gpu(const std::string& cdi_name) {
  const bool gpu = cdi_name.starts_with("nvidia.com/") || cdi_name.starts_with("amd.com/");
  const std::size_t equals = cdi_name.find('=');
  return gpu && equals != cdi_name.npos ? cdi_name.substr(equals + 1) : "";
}

// As a service of a compose file asks for GPUs.
std::optional<GpuWish> reserved(const compose::Service& service) {
  GpuWish ids{.kind = Kind::ids, .count = 0, .ids = {}};
  for (const compose::DeviceRequest& request : service.device_requests) {
    const bool cdi = request.driver == "cdi";
    const bool gpu = request.driver == "nvidia" ||
                     std::ranges::find(request.capabilities, "gpu") != request.capabilities.end();
    for (const std::string& id : request.device_ids) {
      const std::string name = cdi ? named_gpu(id) : gpu ? id : "";
      if (name == "all") return GpuWish{.kind = Kind::all};
      if (!name.empty()) ids.ids.push_back(name);
    }
    if (cdi || !gpu || !request.device_ids.empty()) continue;
    if (request.count.value_or(-1) < 0) return GpuWish{.kind = Kind::all};
    return GpuWish{.kind = Kind::count, .count = static_cast<int>(*request.count)};
  }
  return ids.ids.empty() ? std::nullopt : std::optional(ids);
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

// What others hold. A device of a run of ours that is under way is not theirs, whoever is seen on
// it, and a container of ours is none of them.
gpu::Taken taken_by_others(const gpu::Inventory& inventory, const gpu::Neighbours& neighbours,
                           const std::vector<std::string>& ours) {
  gpu::Taken taken = neighbours.taken;
  for (const gpu::Device& device : inventory.devices) {
    if (device.mig) continue;
    if (const auto holder = gpu::lease_holder(gpu::lease_folder(), device.uuid)) {
      taken[device.uuid] = "leased by " + *holder;
    } else if (std::ranges::find(ours, device.uuid) == ours.end()) {
      const std::string why = gpu::why_not_free(gpu::without(neighbours.ours, device));
      if (!why.empty()) taken.emplace(device.uuid, why);
    }
  }
  return taken;
}

// Of runs, and pilots, that were under way when the last controller ended.
std::vector<std::string> devices_in_flight(const campaign::Fold& fold) {
  std::vector<std::string> uuids;
  const auto add = [&](const campaign::RunState& state) {
    if (state.phase == campaign::RunPhase::running ||
        state.phase == campaign::RunPhase::initialised)
      for (const std::string& uuid : text::split(state.gpus, ',')) uuids.push_back(uuid);
  };
  for (const auto& [run, state] : fold.runs) add(state);
  for (const auto& [run, state] : fold.pilots) add(state);
  return uuids;
}

// That leases can be taken here at all.
void try_lease(const gpu::Pool& pool, const campaign::Clock& clock) {
  if (pool.devices.empty()) return;
  try {
    gpu::Lease::take({.uuid = pool.devices.front().uuid, .campaign = "a look"}, clock);
  } catch (const std::system_error& error) {
    throw CommandError(ExitCode::environment,
                       std::string("GPUs cannot be leased: ") + error.what() + "\n  " +
                           gpu::lease_folder().string() +
                           " must be writable for all users (mode 1777), files in it readable");
  }
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

bool some_in_containers(const OpenState& state, const std::vector<GpuWish>& wishes) {
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    const campaign::Experiment& experiment = state.manifest.plan.experiments[i];
    const auto type = campaign::runner_of(state.campaign, experiment)->type;
    if (asks(wishes[i]) && type != campaign::RunnerType::local) return true;
  }
  return false;
}

}  // namespace

// Of the program that is to use them: the server's where there is one.
std::optional<GpuWish> SessionRun::gpu_wish_of(const campaign::Experiment& experiment) const {
  const campaign::Runner runner = *campaign::runner_of(state_.campaign, experiment);
  if (runner.gpus) return runner.gpus;
  const std::string& service =
      runner.server && !runner.server->service.empty() ? runner.server->service : runner.service;
  if (project_ && runner.type == campaign::RunnerType::compose)
    if (const auto wish = reserved(project_->services.at(service))) return wish;
  if (state_.campaign.gpus.kind == Kind::none) return GpuWish{.kind = Kind::none};
  if (!site_ || runner.type == campaign::RunnerType::local) return std::nullopt;
  std::string image = campaign::image_of(state_.campaign, experiment);
  if (runner.server && !runner.server->image.empty())
    image = campaign::expand(runner.server->image,
                             {.parameters = &experiment.config, .vars = &state_.campaign.vars});
  else if (project_ && runner.type == campaign::RunnerType::compose)
    image = project_->services.at(service).image;
  const auto known = site_->images.find(image);
  if (known != site_->images.end() && made_for_gpus(known->second.info))
    throw CommandError(ExitCode::usage,
                       experiment.name + ": image " + image +
                           " is made for GPUs and nothing says whether its runs get any\n  say "
                           "`gpus: 1` or `gpus: none` in its runner");
  return std::nullopt;
}

// By experiment; `none` too where nothing is said.
std::vector<GpuWish> SessionRun::gpu_wishes() const {
  std::vector<GpuWish> wishes;
  bool unsaid = false;
  for (const campaign::Experiment& experiment : state_.manifest.plan.experiments) {
    const auto wish = gpu_wish_of(experiment);
    unsaid |= !wish;
    wishes.push_back(wish.value_or(GpuWish{.kind = Kind::none}));
  }
  if (unsaid && host_has_gpus())
    request_.progress->note(
        "this host has GPUs, and runs whose runner says nothing of `gpus` get none");
  return wishes;
}

// Experiments that may still run. Others need not find their devices any more.
std::set<std::uint32_t> SessionRun::experiments_to_run() const {
  const UpOptions& options = request_.options;
  const bool any = state_.revised || options.pilot_only || state_.campaign.execution.pilot ||
                   !options.rerun.empty() || !options.retry.empty();
  std::set<std::uint32_t> open;
  for (const campaign::PlannedRun& run : state_.manifest.plan.runs)
    if (any || !state_.fold.run(campaign::run_id(state_.manifest.plan, run)).done())
      open.insert(run.experiment);
  return open;
}

Task<std::vector<container::ContainerSummary>> SessionRun::containers_with_gpus() {
  for (;;) {
    std::string away;
    try {
      co_return co_await engine_->list({{container::label::gpus, ""}});
    } catch (const container::EngineError& error) {
      if (!error.unreachable()) throw;
      away = error.what();
    }
    if (!co_await engine_is_back()) throw EngineAway(away);
  }
}

// Of the engine's running containers, by their label.
Task<gpu::Neighbours> SessionRun::device_neighbours() {
  gpu::Neighbours neighbours;
  if (!engine_) co_return neighbours;
  for (const auto& one : co_await containers_with_gpus()) {
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

gpu::Pool SessionRun::gpu_pool(const gpu::Inventory& inventory) {
  const gpu::Grant grant =
      gpu::grant_of(inventory.devices, gpu::grant_words(campaign::process_environment()));
  const gpu::Neighbours neighbours = during_setup(device_neighbours());
  const gpu::Taken taken = taken_by_others(inventory, neighbours, devices_in_flight(state_.fold));
  gpu::Pool pool = gpu::pool_of(
      {.wish = state_.campaign.gpus, .grant = grant, .all = inventory.devices, .taken = taken});
  if (pool.devices.empty() && state_.campaign.gpus.kind != Kind::none)
    throw CommandError(ExitCode::environment,
                       "runs ask for GPUs and there are none to be had here\n  granted: " +
                           grant.cause + "\n  " + pool.cause + places_text(inventory));
  try_lease(pool, clock_);
  return pool;
}

void SessionRun::make_broker() {
  std::vector<GpuWish> wishes = gpu_wishes();
  const std::set<std::uint32_t> open = experiments_to_run();
  for (std::uint32_t i = 0; i < wishes.size(); ++i)
    if (!open.contains(i)) wishes[i] = {.kind = Kind::none};
  if (std::ranges::none_of(wishes, asks)) return;
  const campaign::Plan& plan = state_.manifest.plan;
  const gpu::Inventory inventory = during_setup(gpu::discover_meanwhile({}, loop_.wake, [this] {
                                     return loop_.stop.now();
                                   })).value_or(gpu::Inventory{});
  const gpu::Pool pool = gpu_pool(inventory);
  std::vector<gpu::Demand> demands;
  for (std::size_t i = 0; i < wishes.size(); ++i)
    demands.push_back(demand(plan.experiments[i], wishes[i], pool, inventory));
  request_.progress->note("GPUs: " + gpu::listing(pool.devices) + " (" + pool.cause + ")");
  if (site_ && some_in_containers(state_, wishes))
    for (const gpu::Device& device : pool.devices)
      request_.progress->note("into containers by " + text_of(gpu_route(*site_, {device})));
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
                       .neighbours = [this] { return device_neighbours(); }});
  for (const campaign::PlannedRun& run : plan.runs)
    broker_->count(run.experiment, state_.fold.run(campaign::run_id(plan, run)).gpus);
}

}  // namespace controller
