#include "controller/gpu/broker.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <system_error>

#include "controller/gpu/bounded.hpp"
#include "controller/progress/format.hpp"

namespace controller::gpu {
namespace {

constexpr double first_pause = 0.25;  // between two looks at devices that others hold, growing
constexpr double last_pause = 2;
constexpr double first_glance = 0.002;  // between looks whether a driver has answered, growing
constexpr double last_glance = 0.1;

// The control group of a container's process names the container.
bool runs_in(std::int64_t pid, const std::vector<std::string>& containers) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cgroup");
  for (std::string line; std::getline(file, line);)
    for (const std::string& id : containers)
      if (line.find(id) != std::string::npos) return true;
  return false;
}

std::string why_of(const std::string& uuid, const Taken& leased, const Taken& unready) {
  const auto other = leased.find(uuid);
  if (other != leased.end()) return other->second;
  const auto not_ready = unready.find(uuid);
  return not_ready == unready.end() ? "another run of this campaign has it" : not_ready->second;
}

}  // namespace

Device without(const std::vector<std::string>& containers, Device device) {
  if (containers.empty() || !device.processes) return device;
  std::erase_if(*device.processes.value, [&](const DeviceProcess& process) {
    if (!runs_in(process.pid, containers)) return false;
    if (!process.memory)
      device.memory = Reading<DeviceMemory>::unavailable("a process is not accounted for");
    else if (device.memory)
      device.memory.value->used -= std::min(device.memory->used, *process.memory);
    return true;
  });
  return device;
}

// On a thread of its own, since a driver may hang, and may outlive all of us.
Task<std::optional<Inventory>> discover_meanwhile(const DiscoveryRequest& request, Wake& wake,
                                                  std::function<bool()> given_up) {
  auto answer = begun([request] { return discover(request); });
  const campaign::Clock& clock = campaign::system_clock();
  const double until = clock.boottime() + 3 * request.patience;
  for (double glance = first_glance; clock.boottime() < until && !given_up();
       glance = std::min(2 * glance, last_glance)) {
    if (answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
      co_return answer.get();
    co_await wake.wait(glance);
  }
  co_return std::nullopt;
}

void Broker::count(std::uint32_t experiment, const std::string& uuids) {
  for (const std::string& uuid : text::split(uuids, ',')) ++used_[experiment][uuid];
}

// Nobody who came earlier waits for a device that this one could take.
bool Broker::is_next(const Wait& wait) const {
  for (const Wait& earlier : queue_) {
    if (&earlier == &wait) return true;
    for (const Device& device : demand(earlier.experiment).candidates)
      if (has(demand(wait.experiment).candidates, device.uuid)) return false;
  }
  return true;
}

Placed Broker::place_now(const Ask& ask, const std::set<std::string>& busy) const {
  static const std::map<std::string, int> unused;
  static const std::vector<std::string> none;
  const auto used = used_.find(ask.experiment);
  const auto last = last_.find(ask.worker);
  return place({.demand = demand(ask.experiment),
                .how = parts_.placement,
                .used = used == used_.end() ? unused : used->second,
                .busy = busy,
                .last = last == last_.end() ? none : last->second});
}

Task<Broker::Seen> Broker::observe(const Ask& ask) {
  const Neighbours neighbours = parts_.neighbours ? co_await parts_.neighbours() : Neighbours{};
  const std::optional<Inventory> inventory =
      co_await discover_meanwhile(parts_.discovery, *parts_.wake, ask.given_up);
  Seen seen;
  for (const Device& candidate : demand(ask.experiment).candidates) {
    const std::string& uuid = candidate.uuid;
    const auto listed = neighbours.taken.find(uuid);
    if (listed != neighbours.taken.end()) seen.leased[uuid] = listed->second;
    if (!busy_.contains(uuid))
      if (const auto holder = lease_holder(parts_.leases, uuid))
        seen.leased[uuid] = "leased by " + *holder;
    const Device* now = nullptr;
    if (inventory)
      for (const Device& device : inventory->devices)
        if (device.uuid == uuid) now = &device;
    if (!now) {
      seen.unready[uuid] = inventory ? "is not seen any more" : "its driver does not answer";
      continue;
    }
    seen.devices.push_back(*now);
    const std::string why = why_not_free(without(neighbours.ours, *now));
    if (!why.empty()) seen.unready[uuid] = why;
  }
  co_return seen;
}

Hold::Leases Broker::lease(const std::vector<Device>& devices, std::string& holder) const {
  Hold::Leases leases;
  for (const Device& device : devices) {
    Lease::Attempt attempt = Lease::take(
        {.folder = parts_.leases, .uuid = device.uuid, .campaign = parts_.campaign}, *parts_.clock);
    if (attempt.lease)
      leases.push_back(std::move(attempt.lease));
    else
      holder = "GPU " + device.index + " is leased by " + attempt.holder;
  }
  return leases;
}

std::unique_ptr<Hold> Broker::hold(const std::vector<Device>& devices, Hold::Leases leases) {
  std::vector<std::string> uuids;
  for (const Device& device : devices) uuids.push_back(device.uuid);
  busy_.insert(uuids.begin(), uuids.end());
  return std::make_unique<Hold>(std::move(leases), [this, uuids] {
    for (const std::string& uuid : uuids) busy_.erase(uuid);
    parts_.wake->notify();
  });
}

// nullopt: it has to wait on; why stands in `wait`.
std::optional<Broker::Obtained> Broker::decide(const Ask& ask, Wait& wait, const Seen& seen) {
  std::set<std::string> taken = busy_;
  for (const auto& [uuid, why] : seen.leased) taken.insert(uuid);
  for (const auto& [uuid, why] : seen.unready) taken.insert(uuid);
  Placed placed = place_now(ask, taken);
  if (!placed.devices.empty()) {
    Hold::Leases leases = lease(placed.devices, wait.why);
    // Someone was quicker: the next look sees who.
    if (leases.size() < placed.devices.size()) return std::nullopt;
    last_[ask.worker].clear();
    for (Device& device : placed.devices) {
      last_[ask.worker].push_back(device.uuid);
      for (const Device& now : seen.devices)
        if (now.uuid == device.uuid) device = now;
    }
    count(ask.experiment, joined_uuids(placed.devices));
    auto held = hold(placed.devices, std::move(leases));
    return Obtained{.hold = std::move(held), .devices = std::move(placed.devices), .refused = {}};
  }
  const auto foreign = std::find_if(placed.waits_for.begin(), placed.waits_for.end(),
                                    [&](const auto& uuid) { return !busy_.contains(uuid); });
  if (foreign == placed.waits_for.end()) return std::nullopt;
  wait.why = *foreign + ": " + why_of(*foreign, seen.leased, seen.unready);
  const double patience = seen.leased.contains(*foreign)
                              ? parts_.wait.seconds
                              : std::max(parts_.wait.seconds, parts_.settling);
  const double now = parts_.clock->boottime();
  if (!wait.foreign_since) wait.foreign_since = now;
  if (now - *wait.foreign_since < patience) return std::nullopt;
  return Obtained{.hold = nullptr, .devices = {}, .refused = wait.why};
}

// What only runs of ours stand in the way of; nothing: it may be had as far as they are concerned.
std::string Broker::waits_for_ours(const Ask& ask, const Wait& wait) const {
  if (!is_next(wait)) return "another run of this campaign is to have its devices first";
  const Placed placed = place_now(ask, busy_);
  return placed.devices.empty() ? placed.waits_for.front() + ": another run of this campaign has it"
                                : "";
}

Task<Broker::Obtained> Broker::obtain(Ask ask) {
  const auto place_in_queue = queue_.insert(queue_.end(), {.experiment = ask.experiment});
  struct Leave {
    Broker& broker;
    std::list<Wait>::iterator at;
    ~Leave() {
      broker.queue_.erase(at);
      broker.parts_.wake->notify();
    }
  } const leave{*this, place_in_queue};
  Wait& wait = *place_in_queue;
  for (double pause = first_pause; !ask.given_up();) {
    const std::string ours = waits_for_ours(ask, wait);
    if (!ours.empty()) {
      wait.foreign_since.reset();
      ask.waits(ours);
      if (waits_for_ours(ask, wait) == ours && !ask.given_up())
        co_await parts_.wake->wait(std::numeric_limits<double>::infinity());
      continue;
    }
    const Seen seen = co_await observe(ask);
    if (ask.given_up()) break;
    if (auto obtained = decide(ask, wait, seen)) {
      ask.waits("");
      co_return std::move(*obtained);
    }
    ask.waits(wait.why);
    co_await parts_.wake->wait(pause);
    pause = std::min(2 * pause, last_pause);
  }
  ask.waits("");
  co_return Obtained{};
}

Broker::TakenUp Broker::take_up(const std::string& uuids) {
  TakenUp taken;
  for (const std::string& uuid : text::split(uuids, ',')) {
    Device device;
    device.uuid = device.index = uuid;
    for (const Demand& each : parts_.demands)
      for (const Device& known : each.candidates)
        if (known.uuid == uuid) device = known;
    taken.devices.push_back(std::move(device));
  }
  if (!taken.devices.empty()) taken.hold = hold(taken.devices, lease(taken.devices, taken.problem));
  return taken;
}

}  // namespace controller::gpu
