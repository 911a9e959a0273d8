#include "controller/gpu/broker.hpp"

#include <algorithm>
#include <fstream>
#include <system_error>

#include "controller/gpu/bounded.hpp"
#include "controller/progress/format.hpp"

namespace controller::gpu {
namespace {

constexpr double pause = 0.25;          // between two looks at devices that others hold
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

// Without the processes of our own containers, and what they use.
Device without_ours(Device device, const std::vector<std::string>& ours) {
  if (ours.empty() || !device.processes) return device;
  std::erase_if(*device.processes.value, [&](const DeviceProcess& process) {
    if (!runs_in(process.pid, ours)) return false;
    if (device.memory && process.memory)
      device.memory.value->used -= std::min(device.memory->used, *process.memory);
    return true;
  });
  return device;
}

std::string why_of(const std::string& uuid, const Taken& leased, const Taken& unready) {
  const auto other = leased.find(uuid);
  if (other != leased.end()) return other->second;
  const auto not_ready = unready.find(uuid);
  return not_ready == unready.end() ? "another run of this campaign has it" : not_ready->second;
}

}  // namespace

std::string uuids_of(const std::vector<Device>& devices) {
  std::string text;
  for (const Device& device : devices) text += (text.empty() ? "" : ",") + device.uuid;
  return text;
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

// On a thread of its own, since a driver may hang; looked after from here, so that it may outlive
// all of us.
Task<std::optional<Inventory>> Broker::look() {
  std::packaged_task<Inventory()> task([request = parts_.discovery] { return discover(request); });
  std::future<Inventory> answer = task.get_future();
  std::thread(std::move(task)).detach();
  const double until = parts_.clock->boottime() + 3 * parts_.discovery.patience;
  for (double glance = first_glance; parts_.clock->boottime() < until;
       glance = std::min(2 * glance, last_glance)) {
    if (answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
      co_return answer.get();
    co_await parts_.wake->wait(glance);
  }
  co_return std::nullopt;
}

Task<Broker::Seen> Broker::observe(const Demand& demand) {
  const Neighbours neighbours = parts_.neighbours ? co_await parts_.neighbours() : Neighbours{};
  const std::optional<Inventory> inventory = co_await look();
  Seen seen;
  for (const Device& candidate : demand.candidates) {
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
    const std::string why = why_not_free(without_ours(*now, neighbours.ours));
    if (!why.empty()) seen.unready[uuid] = why;
  }
  co_return seen;
}

std::unique_ptr<Hold> Broker::lease(const std::vector<Device>& devices, std::string& holder) {
  Hold::Leases leases;
  std::vector<std::string> uuids;
  for (const Device& device : devices) {
    Lease::Attempt attempt = Lease::take(
        {.folder = parts_.leases, .uuid = device.uuid, .campaign = parts_.campaign}, *parts_.clock);
    if (!attempt.lease) {
      holder = "GPU " + device.index + " is leased by " + attempt.holder;
      return nullptr;
    }
    leases.push_back(std::move(attempt.lease));
    uuids.push_back(device.uuid);
  }
  busy_.insert(uuids.begin(), uuids.end());
  return std::make_unique<Hold>(std::move(leases), [this, uuids] {
    for (const std::string& uuid : uuids) busy_.erase(uuid);
    parts_.wake->notify();
  });
}

// nullopt: it has to wait on; why stands in `wait`.
std::optional<Broker::Obtained> Broker::decide(const Ask& ask, Wait& wait, const Seen& seen) {
  std::set<std::string> others;
  for (const auto& [uuid, why] : seen.leased) others.insert(uuid);
  for (const auto& [uuid, why] : seen.unready) others.insert(uuid);
  std::set<std::string> taken = busy_;
  taken.insert(others.begin(), others.end());
  Placed placed = place({.demand = demand(ask.experiment),
                         .how = parts_.placement,
                         .used = used_[ask.experiment],
                         .busy = taken,
                         .last = last_[ask.worker]});
  if (!placed.devices.empty()) {
    auto hold = lease(placed.devices, wait.why);
    if (hold) {
      last_[ask.worker].clear();
      for (Device& device : placed.devices) {
        last_[ask.worker].push_back(device.uuid);
        for (const Device& now : seen.devices)
          if (now.uuid == device.uuid) device = now;
      }
      count(ask.experiment, uuids_of(placed.devices));
      return Obtained{.hold = std::move(hold), .devices = std::move(placed.devices), .refused = {}};
    }
    wait.patience = parts_.wait.seconds;
  } else {
    const auto foreign = std::find_if(placed.waits_for.begin(), placed.waits_for.end(),
                                      [&](const auto& uuid) { return !busy_.contains(uuid); });
    if (foreign == placed.waits_for.end()) {
      wait.foreign_since.reset();
      wait.why = placed.waits_for.front() + ": another run of this campaign has it";
      return std::nullopt;
    }
    wait.why = *foreign + ": " + why_of(*foreign, seen.leased, seen.unready);
    wait.patience = seen.leased.contains(*foreign) ? parts_.wait.seconds
                                                   : std::max(parts_.wait.seconds, parts_.settling);
  }
  const double now = parts_.clock->boottime();
  if (!wait.foreign_since) wait.foreign_since = now;
  if (now - *wait.foreign_since < wait.patience) return std::nullopt;
  return Obtained{.hold = nullptr, .devices = {}, .refused = wait.why};
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
  while (!parts_.given_up()) {
    if (is_next(wait)) {
      const Seen seen = co_await observe(demand(ask.experiment));
      if (auto obtained = decide(ask, wait, seen)) {
        ask.waits("");
        co_return std::move(*obtained);
      }
    } else {
      wait.why = "another run of this campaign is to have its devices first";
    }
    ask.waits(wait.why);
    co_await parts_.wake->wait(pause);
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
  if (!taken.devices.empty()) taken.hold = lease(taken.devices, taken.problem);
  return taken;
}

}  // namespace controller::gpu
