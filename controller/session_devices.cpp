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
#include "controller/session_wishes.hpp"

namespace controller {

namespace {

using campaign::GpuWish;

bool made_for_gpus(const container::ImageInfo& image) {
  return std::ranges::any_of(image.env, [](const std::string& line) {
    return line.starts_with("CUDA_VERSION=") || line.starts_with("NVIDIA_");
  });
}

bool host_has_gpus() {
  return access("/dev/nvidiactl", F_OK) == 0 || access("/dev/kfd", F_OK) == 0;
}

bool asks(const gpu::Asked& one) { return one.wish.kind != GpuWish::Kind::none; }

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

bool some_in_containers(const OpenState& state, const std::vector<gpu::Asked>& wishes) {
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    const campaign::Experiment& experiment = state.manifest.plan.experiments[i];
    const auto type = campaign::runner_of(state.campaign, experiment)->type;
    if (asks(wishes[i]) && type != campaign::RunnerType::local) return true;
  }
  return false;
}

}  // namespace

// An image that is made for GPUs and nobody says whether its runs get any.
void SessionRun::refuse_unsaid(const campaign::Experiment& experiment) const {
  const campaign::Runner runner = *campaign::runner_of(state_.campaign, experiment);
  if (!site_ || runner.type == campaign::RunnerType::local) return;
  std::string image = campaign::image_of(state_.campaign, experiment);
  if (runner.server && !runner.server->image.empty())
    image = campaign::expand(runner.server->image,
                             {.parameters = &experiment.config, .vars = &state_.campaign.vars});
  else if (project_ && runner.type == campaign::RunnerType::compose)
    image = project_->services.at(service_with_gpus(runner)).image;
  const auto known = site_->images.find(image);
  if (known != site_->images.end() && made_for_gpus(known->second.info))
    throw CommandError(
        ExitCode::usage,
        experiment.name + ": image " + image +
            " is made for GPUs and nothing says whether its runs get any\n  say "
            "`gpus: 1` or `gpus: none` in its runner (of `campaignctl run`: --gpus)");
}

// By experiment; `none` too where nothing is said.
std::vector<gpu::Asked> SessionRun::gpu_wishes() const {
  std::vector<gpu::Asked> wishes;
  bool unsaid = false;
  for (const campaign::Experiment& experiment : state_.manifest.plan.experiments) {
    const auto wish = written_wish(state_.campaign, experiment, project_ ? &*project_ : nullptr);
    if (!wish) refuse_unsaid(experiment);
    unsaid |= !wish;
    wishes.push_back(wish.value_or(gpu::Asked{.experiment = experiment.name}));
  }
  if (unsaid && host_has_gpus())
    request_.progress->note(
        "this host has GPUs, and runs whose runner says nothing of `gpus` get none");
  return wishes;
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

gpu::Allotment SessionRun::gpu_allotment(const std::vector<gpu::Asked>& asked) {
  const gpu::Inventory inventory = during_setup(gpu::discover_meanwhile({}, loop_.wake, [this] {
                                     return loop_.stop.now();
                                   })).value_or(gpu::Inventory{});
  const gpu::Grant grant =
      gpu::grant_of(inventory.devices, gpu::grant_words(campaign::process_environment()));
  const gpu::Neighbours neighbours = during_setup(device_neighbours());
  return gpu::allot({.wish = state_.campaign.gpus,
                     .wait = state_.campaign.gpus_wait,
                     .asked = asked,
                     .inventory = inventory,
                     .grant = grant,
                     .taken = taken_by_others(inventory, neighbours, state_.fold)});
}

void SessionRun::make_broker() {
  std::vector<gpu::Asked> wishes = gpu_wishes();
  leave_out_done(wishes, {.campaign = &state_.campaign,
                          .plan = &state_.manifest.plan,
                          .fold = &state_.fold,
                          .options = &request_.options,
                          .revised = state_.revised});
  if (std::ranges::none_of(wishes, asks)) return;
  const campaign::Plan& plan = state_.manifest.plan;
  gpu::Allotment allotment = gpu_allotment(wishes);
  const gpu::Pool& pool = allotment.pool;
  try_lease(pool, clock_);
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
                       .demands = std::move(allotment.demands),
                       .discovery = {},
                       .neighbours = [this] { return device_neighbours(); }});
  for (const campaign::PlannedRun& run : plan.runs)
    broker_->count(run.experiment, state_.fold.run(campaign::run_id(plan, run)).gpus);
}

}  // namespace controller
