#include "controller/session_wishes.hpp"

#include <algorithm>
#include <set>

#include "controller/progress/format.hpp"

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

std::set<std::uint32_t> open_experiments(const OpenRuns& runs) {
  const UpOptions& options = *runs.options;
  const bool any = runs.revised || options.pilot_only || runs.campaign->execution.pilot ||
                   !options.rerun.empty() || !options.retry.empty();
  std::set<std::uint32_t> open;
  for (const campaign::PlannedRun& run : runs.plan->runs)
    if (any || !runs.fold->run(campaign::run_id(*runs.plan, run)).done())
      open.insert(run.experiment);
  return open;
}

}  // namespace

const std::string& service_with_gpus(const campaign::Runner& runner) {
  return runner.server && !runner.server->service.empty() ? runner.server->service : runner.service;
}

std::optional<gpu::Asked> written_wish(const campaign::Campaign& campaign,
                                       const campaign::Experiment& experiment,
                                       const compose::Project* project) {
  const campaign::Runner runner = *campaign::runner_of(campaign, experiment);
  gpu::Asked asked{.experiment = experiment.name};
  if (runner.gpus) {
    asked.wish = *runner.gpus;
    return asked;
  }
  if (campaign.gpus.kind == Kind::none) return asked;
  if (!project || runner.type != campaign::RunnerType::compose) return std::nullopt;
  asked.service = service_with_gpus(runner);
  const auto wish = reserved(project->services.at(asked.service));
  if (!wish) return std::nullopt;
  asked.wish = *wish;
  return asked;
}

void leave_out_done(std::vector<gpu::Asked>& asked, const OpenRuns& runs) {
  const std::set<std::uint32_t> open = open_experiments(runs);
  for (std::uint32_t i = 0; i < asked.size(); ++i)
    if (!open.contains(i)) asked[i].wish = {.kind = Kind::none};
}

gpu::Taken taken_by_others(const gpu::Inventory& inventory, const gpu::Neighbours& neighbours,
                           const campaign::Fold& fold) {
  const std::vector<std::string> ours = devices_in_flight(fold);
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

}  // namespace controller
