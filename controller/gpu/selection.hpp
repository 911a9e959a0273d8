// What `gpus` of a campaign file comes to on this host: resolved once, to devices, before anything
// starts. Pure; each result says how it came about. Errors are CommandErrors (usage) that say what
// there is.
#pragma once

#include <map>

#include "campaign/config/gpu_wish.hpp"
#include "controller/gpu/grant.hpp"

namespace controller::gpu {

using Wish = campaign::GpuWish;
// Of a command line: "auto", "all", "none", "2", "ids:0,GPU-8f1e".
Wish wish_of(const std::string& text);

// Why a device that is granted is not free, by UUID.
using Taken = std::map<std::string, std::string>;
// What the device itself tells: a process that holds it, or memory in use that no process here
// accounts for. "" = it looks free; what could not be read counts as free.
std::string why_not_free(const Device& device);

// The devices of a campaign. `automatic` takes the free ones, the others take what they name; that
// of a device that is taken is then waited for.
struct Pool {
  std::vector<Device> devices;
  std::string cause;
};
struct PoolRequest {
  const Wish& wish;  // not a count
  const Grant& grant;
  const std::vector<Device>& all;  // of the host, for what an id names
  const Taken& taken;
};
Pool pool_of(const PoolRequest& request);

// The devices of one run of it: `count` of the candidates, in their order of preference.
struct Demand {
  std::vector<Device> candidates;
  std::size_t count = 0;
  std::string cause;
};
Demand demand_of(const Wish& wish, const Pool& pool, const std::vector<Device>& all);

}  // namespace controller::gpu
