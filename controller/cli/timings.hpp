// The screen of `campaignctl run`: how long commands take, and which is the fastest. Seconds. Pure.
#pragma once

#include <optional>
#include <vector>

#include "campaign/results/results.hpp"
#include "controller/cli/console.hpp"

namespace controller::cli {

struct Timing {
  std::string experiment, command;
  campaign::Value axes;
  std::vector<double> times;    // of completed runs, in the order in which they ran
  std::vector<int> exit_codes;  // of every run that ended by itself
  std::size_t failed = 0;
  std::optional<double> mean, sd, median, min, max;  // sd: ddof 1, from n = 2
  std::optional<double> user, system;                // means of the processes' CPU time
  std::vector<std::string> warnings;
};

// In plan order. The time of a run is its process's, as the launcher saw it.
std::vector<Timing> make_timings(const campaign::Plan& plan,
                                 const std::vector<campaign::RunRecord>& records);

// How many times slower b is than a, with its standard deviation: r * sqrt((sa/ma)^2 + (sb/mb)^2).
struct Ratio {
  double value;
  std::optional<double> sd;
};
Ratio ratio(const Timing& a, const Timing& b);

std::string timings_text(const std::vector<Timing>& timings, const Style& style);
// hyperfine's export format with schema_version beside it: {"results": [{command, mean, stddev,
// ...}]}.
std::string timings_json(const std::vector<Timing>& timings);

}  // namespace controller::cli
