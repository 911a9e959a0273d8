// Did the payload warm up? Judged by the latencies that it reported (`request` lines of
// metrics.jsonl) before the measure window: converged when the population standard deviation of the
// last five is below 5 % of their mean.
#pragma once

#include <cstdint>
#include <optional>

#include "campaign/metrics/attempt_files.hpp"

namespace campaign {

struct WarmupReading {
  std::size_t requests = 0;         // reported before the window
  std::optional<double> variation;  // of the last five, standard deviation / mean; none below five
  bool converged = false;
};
// `begin_ns`: the window's begin, CLOCK_MONOTONIC. Lines that cannot be read are passed over.
WarmupReading read_warmup(const AttemptFiles& files, std::int64_t begin_ns);

}  // namespace campaign
