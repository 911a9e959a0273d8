#include "controller/gpu/allotment.hpp"

#include <algorithm>

#include "controller/errors.hpp"

namespace controller::gpu {
namespace {

using Kind = Wish::Kind;

bool asks(const Asked& one) { return one.wish.kind != Kind::none; }

// Its words say something: as they are unsaid, nobody wants to wait.
bool waits(const campaign::GpusWait& wait) { return wait != campaign::GpusWait{}; }

bool suffices(const Pool& pool, const Asked& one, const Inventory& inventory) {
  if (!asks(one)) return true;
  if (pool.devices.empty()) return false;
  try {
    demand_of(one.wish, pool, inventory.devices);
    return true;
  } catch (const CommandError&) {
    return false;
  }
}

Pool whole_grant(const AllotmentRequest& request) {
  static const Wish all{.kind = Kind::all};
  return pool_of({.wish = all,
                  .grant = request.grant,
                  .all = request.inventory.devices,
                  .taken = request.taken});
}

std::string held_by_others(const AllotmentRequest& request) {
  std::string text;
  for (const Device& device : request.grant.devices)
    if (const auto taken = request.taken.find(device.uuid); taken != request.taken.end())
      text += "; " + device.index + ": " + taken->second;
  return text;
}

// Only where waiting could help.
bool would_do_once_free(const AllotmentRequest& request, const Asked& one) {
  if (request.wish.kind != Kind::automatic || waits(request.wait)) return false;
  try {
    return suffices(whole_grant(request), one, request.inventory);
  } catch (const CommandError&) {
    return false;
  }
}

std::string ways_out(const AllotmentRequest& request, const Asked& one) {
  std::string text;
  if (!one.service.empty())
    text += "\n  service `" + one.service + "` reserves them in the compose file";
  if (would_do_once_free(request, one))
    text +=
        "\n  say `gpus_wait: {for: 30m}` to wait for what others hold; with `gpus: all` of the "
        "campaign all of the grant is counted on, held or not";
  return text + "\n  say `gpus: none` in its runner where its runs need none";
}

std::string places_text(const Inventory& inventory) {
  std::string text;
  for (const Place& place : inventory.places) text += "\n  " + place.name + ": " + place.finding;
  return text;
}

Pool pool_for(const AllotmentRequest& request) {
  Pool pool = pool_of({.wish = request.wish,
                       .grant = request.grant,
                       .all = request.inventory.devices,
                       .taken = request.taken});
  const auto enough = [&](const Asked& one) { return suffices(pool, one, request.inventory); };
  if (request.wish.kind != Kind::automatic || !waits(request.wait) ||
      request.grant.devices.empty() || std::ranges::all_of(request.asked, enough))
    return pool;
  const std::size_t free = pool.devices.size();
  pool = whole_grant(request);
  pool.cause = "auto: all of the grant, since the free ones are not enough, " +
               std::to_string(free) + " of " + std::to_string(pool.devices.size()) +
               ", and gpus_wait waits" + held_by_others(request);
  return pool;
}

Demand demand(const AllotmentRequest& request, const Pool& pool, const Asked& one) {
  try {
    return demand_of(one.wish, pool, request.inventory.devices);
  } catch (const CommandError& error) {
    throw CommandError(error.code, one.experiment + ": " + error.what() + ways_out(request, one));
  }
}

}  // namespace

Allotment allot(const AllotmentRequest& request) {
  Allotment allotment{.pool = pool_for(request)};
  const Pool& pool = allotment.pool;
  const auto first = std::ranges::find_if(request.asked, asks);
  if (first != request.asked.end() && pool.devices.empty() && request.wish.kind != Kind::none)
    throw CommandError(
        ExitCode::environment,
        first->experiment +
            ": its runs ask for GPUs and there are none to be had here\n  granted: " +
            request.grant.cause + "\n  " + pool.cause + places_text(request.inventory) +
            ways_out(request, *first));
  for (const Asked& one : request.asked) allotment.demands.push_back(demand(request, pool, one));
  return allotment;
}

}  // namespace controller::gpu
