// A selection of GPUs as it is written in a campaign file; what it comes to on a host is
// controller/gpu/selection.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "campaign/config/value.hpp"

namespace campaign {

struct GpuWish {
  enum class Kind { automatic, all, none, count, ids } kind = Kind::automatic;
  int count = 0;
  std::vector<std::string> ids;  // an index, a UUID or the beginning of one
  bool operator==(const GpuWish&) const = default;
};

// `auto`, `all`, `none`, a count, `{ids: [...]}`, a bare list of ids, as a word `ids:0,GPU-8f1e`;
// nullopt when it is none of these. Whether a campaign or a run may say so is the caller's to
// check.
std::optional<GpuWish> gpu_wish(const Value& value);

}  // namespace campaign
