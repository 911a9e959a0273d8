// A container's counters from its engine's stats API, where its control group cannot be read here.
// A service on the controller's loop asks about once a second, one call at a time, each bounded;
// the sensor gives each answer to one row, the first after it, and nothing to the others: figures
// are taken between readings that were made. An answer counts as of the moment that it came.
#pragma once

#include "campaign/state/journal.hpp"
#include "container/engine.hpp"
#include "controller/supervise/service.hpp"
#include "controller/telemetry/sensor.hpp"

namespace controller::telemetry {

struct EngineStatsRequest {
  container::Engine* engine = nullptr;  // outlives the service
  std::string container;                // id
  std::string source;                   // payload, server
  Counts counts = Counts::from_zero;
  const campaign::Clock* clock = nullptr;
  std::function<void()> on_answer;  // on the loop
  double seconds_between = 1;       // from one call's beginning to the next one's
  double patience = 5;              // seconds for a call
};

// The service ends by itself once the container does not run. The sensor says ESRCH then, and
// ENODATA when no answer has come for 3 s, which is also when one that nobody took is too old.
struct EngineStats {
  Found found;
  supervise::ServiceBody asking;
};
EngineStats open_engine_stats(EngineStatsRequest request);

}  // namespace controller::telemetry
