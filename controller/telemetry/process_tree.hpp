// A process and all that descends from it, summed up from /proc: for runs without a control group
// of their own. What a dead child used counts on in whoever waited for it.
#pragma once

#include "controller/telemetry/sensor.hpp"

namespace controller::telemetry {

struct ProcessTreeRequest {
  Roots roots;
  std::int64_t root = 0;  // its number
  std::string source;     // payload
};
Found open_process_tree(const ProcessTreeRequest& request);

}  // namespace controller::telemetry
