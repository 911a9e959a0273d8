#include "controller/gpu/placement.hpp"

#include <algorithm>
#include <tuple>

namespace controller::gpu {
namespace {

// Lower comes first.
int rank(const PlacementRequest& request, const std::string& uuid) {
  const auto found = request.used.find(uuid);
  const int used = found == request.used.end() ? 0 : found->second;
  if (request.how == campaign::GpuPlacement::any) return 0;
  return request.how == campaign::GpuPlacement::same ? -used : used;
}

bool was_last(const PlacementRequest& request, const std::string& uuid) {
  return std::find(request.last.begin(), request.last.end(), uuid) != request.last.end();
}

// Candidates of one rank are equal: only whether they are free, and the worker's last ones, tell.
std::vector<std::string> in_order(const PlacementRequest& request) {
  using Key = std::tuple<int, bool, bool, std::size_t>;
  const std::vector<Device>& candidates = request.demand.candidates;
  std::vector<Key> keys;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::string& uuid = candidates[i].uuid;
    keys.emplace_back(rank(request, uuid), request.busy.contains(uuid), !was_last(request, uuid),
                      i);
  }
  std::sort(keys.begin(), keys.end());
  keys.resize(std::min(keys.size(), request.demand.count));
  std::vector<std::string> uuids;
  for (const Key& key : keys) uuids.push_back(candidates[std::get<3>(key)].uuid);
  return uuids;
}

}  // namespace

Placed place(const PlacementRequest& request) {
  const std::vector<std::string> chosen = in_order(request);
  Placed placed;
  for (const std::string& uuid : chosen)
    if (request.busy.contains(uuid)) placed.waits_for.push_back(uuid);
  if (!placed.waits_for.empty()) return placed;
  for (const Device& device : request.demand.candidates)
    if (std::find(chosen.begin(), chosen.end(), device.uuid) != chosen.end())
      placed.devices.push_back(device);
  return placed;
}

}  // namespace controller::gpu
