// Which of a run's candidates it gets. Pure; what it decides can be printed.
//
// `same` sticks to the devices that an experiment has used most, `rotate` takes those that it has
// used least, so that over the cycles each serves it equally often; where several are equal, one
// that is free is taken. `any` takes what is free. Among equals the worker's last devices come
// first (a container that is held alive for it goes on), then the order of the candidates.
#pragma once

#include <map>
#include <set>

#include "campaign/config/campaign.hpp"
#include "controller/gpu/selection.hpp"

namespace controller::gpu {

struct PlacementRequest {
  const Demand& demand;
  campaign::GpuPlacement how = campaign::GpuPlacement::any;
  const std::map<std::string, int>& used;  // by UUID: runs of the experiment so far
  const std::set<std::string>& busy;       // UUIDs that cannot be had now
  const std::vector<std::string>& last;    // UUIDs of the worker's run before
};

// The devices, in the order of the candidates; or, with none, what is waited for (UUIDs).
struct Placed {
  std::vector<Device> devices;
  std::vector<std::string> waits_for;
};
Placed place(const PlacementRequest& request);

}  // namespace controller::gpu
