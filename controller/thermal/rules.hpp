// Which gap stands before a run, by the campaign file alone: pure.
#pragma once

#include "campaign/config/campaign.hpp"

namespace controller::thermal {

// Seconds count from the end of the last run on the same devices.
struct GapRules {
  enum class Kind { none, fixed, adaptive } kind = Kind::none;
  double length = 0;  // of a fixed gap; of an adaptive one the most
  double least = 0;   // an adaptive one is not shorter: a cycle gap that is written
  bool operator==(const GapRules&) const = default;
};

struct GapQuestion {
  const campaign::Campaign* campaign = nullptr;
  bool crosses = false;  // a cycle begins (in `grouped` order: the experiment changes)
  bool devices = false;  // the run has GPUs
};
// What `execution` writes is fixed; of config gap and cycle gap the larger counts, never the sum.
GapRules gap_before(const GapQuestion& question);
// The same where no temperature can be read: an adaptive gap becomes a fixed one.
GapRules without_sensor(const GapRules& rules);

}  // namespace controller::thermal
