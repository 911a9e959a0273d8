#include "controller/gpu/selection.hpp"

#include <algorithm>
#include <charconv>

#include "controller/errors.hpp"
#include "controller/progress/format.hpp"

namespace controller::gpu {
namespace {

using Devices = std::vector<Device>;
using Kind = Wish::Kind;

constexpr char ids_prefix[] = "ids:";
constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30U;
constexpr std::uint64_t own_share = 50;  // a driver keeps up to 1/50 of a large memory for itself

[[noreturn]] void refuse(const std::string& what) { throw CommandError(ExitCode::usage, what); }

std::string gigabytes(std::uint64_t bytes) {
  return text::fixed(static_cast<double>(bytes) / gibibyte, 1) + " GiB";
}

void check_one_kind(const Devices& devices) {
  const auto instance = [](const Device& device) { return !device.parent.empty(); };
  if (std::any_of(devices.begin(), devices.end(), instance) &&
      !std::all_of(devices.begin(), devices.end(), instance))
    refuse("gpus: MIG instances and whole GPUs do not go together (" + listing(devices) +
           "); name those of one kind with ids");
}

struct Choice {
  const std::vector<std::string>& ids;
  const Devices& from;      // what may be chosen
  const Devices& all;       // what an id may name
  const std::string whose;  // of `from`
};

Devices chosen(const Choice& choice) {
  Devices found;
  for (const std::string& id : choice.ids) {
    const Devices named = named_by(id, choice.all);
    if (named.empty())
      refuse("gpus: there is no GPU `" + id + "`; there is: " + listing(choice.all));
    if (named.size() > 1) refuse("gpus: `" + id + "` fits several GPUs: " + listing(named));
    const Device& device = named.front();
    if (device.mig)
      refuse("gpus: `" + id +
             "` is in MIG mode; name its instances: " + listing(parts_of(device, choice.all)));
    if (!has(choice.from, device.uuid))
      refuse("gpus: `" + id + "` (" + device.uuid + ") is not among " + choice.whose + ": " +
             listing(choice.from));
    if (has(found, device.uuid)) refuse("gpus: ids name " + device.uuid + " twice");
    found.push_back(device);
  }
  return found;
}

std::string count_text(std::size_t some, std::size_t all) {
  return std::to_string(some) + " of " + std::to_string(all);
}

Pool free_ones(const PoolRequest& request) {
  Pool pool;
  std::string others;
  for (const Device& device : request.grant.devices) {
    const auto taken = request.taken.find(device.uuid);
    if (taken == request.taken.end())
      pool.devices.push_back(device);
    else
      others += "; not " + device.index + ": " + taken->second;
  }
  pool.cause = "auto: the free ones of the grant, " +
               count_text(pool.devices.size(), request.grant.devices.size()) + others;
  return pool;
}

}  // namespace

Wish wish_of(const std::string& text) {
  if (text == "auto") return {.kind = Kind::automatic};
  if (text == "all") return {.kind = Kind::all};
  if (text == "none") return {.kind = Kind::none};
  if (text.starts_with(ids_prefix)) {
    Wish wish{.kind = Kind::ids};
    wish.ids = text::split(text.substr(sizeof ids_prefix - 1), ',');
    if (!wish.ids.empty()) return wish;
  }
  Wish wish{.kind = Kind::count};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wish.count);
  if (error == std::errc() && end == text.data() + text.size() && wish.count >= 0) return wish;
  refuse("gpus: `" + text + "` is none of auto, all, none, a count, ids:0,GPU-...");
}

std::string why_not_free(const Device& device) {
  std::vector<DeviceProcess> holders;
  if (device.processes)
    std::ranges::copy_if(*device.processes, std::back_inserter(holders),
                         [](const DeviceProcess& process) { return !process.graphics; });
  if (!holders.empty()) {
    const DeviceProcess& process = holders.front();
    const std::size_t more = holders.size() - 1;
    return "pid " + std::to_string(process.pid) +
           (process.name.empty() ? "" : " (" + process.name + ")") +
           (process.user.empty() ? "" : " of " + process.user) +
           (more == 0 ? "" : " and " + std::to_string(more) + " more") + " holds it";
  }
  if (!device.memory) return "";
  const std::uint64_t most = std::max(gibibyte, device.memory->total / own_share);
  if (device.memory->used <= most) return "";
  return gigabytes(device.memory->used) +
         " of its memory are in use by no process that is seen here";
}

Pool pool_of(const PoolRequest& request) {
  Pool pool;
  const Devices& granted = request.grant.devices;
  switch (request.wish.kind) {
    case Kind::none:
      pool.cause = "none: as the campaign says";
      break;
    case Kind::automatic:
      pool = free_ones(request);
      break;
    case Kind::all:
      pool = {.devices = granted, .cause = "all: the whole grant, " + listing(granted)};
      break;
    case Kind::ids:
      pool.devices = chosen({.ids = request.wish.ids,
                             .from = granted,
                             .all = request.all,
                             .whose = "those granted (" + request.grant.cause + ")"});
      pool.cause = "ids: " + listing(pool.devices);
      break;
    case Kind::count:
      refuse("gpus of a campaign: auto, all, none or ids; a run takes a count");
  }
  check_one_kind(pool.devices);
  return pool;
}

Demand demand_of(const Wish& wish, const Pool& pool, const std::vector<Device>& all) {
  const std::string whose = "those of the campaign (" + pool.cause + ")";
  Demand demand;
  switch (wish.kind) {
    case Kind::none:
      demand.cause = "none";
      break;
    case Kind::automatic:
      refuse("gpus of a run: a count, all, none or ids; auto is a campaign's");
    case Kind::all:
      demand.candidates = pool.devices;
      demand.count = pool.devices.size();
      demand.cause = "all " + std::to_string(demand.count) + " of the campaign's";
      break;
    case Kind::ids:
      demand.candidates =
          chosen({.ids = wish.ids, .from = pool.devices, .all = all, .whose = whose});
      demand.count = demand.candidates.size();
      demand.cause = "ids: " + listing(demand.candidates);
      break;
    case Kind::count:
      demand.candidates = pool.devices;
      demand.count = static_cast<std::size_t>(wish.count);
      if (demand.count > pool.devices.size())
        refuse("gpus: " + std::to_string(wish.count) + " are more than there are among " + whose +
               ": " + listing(pool.devices));
      demand.cause = "any " + count_text(demand.count, pool.devices.size()) + " of the campaign's";
      break;
  }
  return demand;
}

}  // namespace controller::gpu
