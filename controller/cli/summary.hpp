// What a session came to: the table at the end of `up`, and `results show`.
#pragma once

#include "campaign/results/summary.hpp"
#include "controller/cli/console.hpp"

namespace controller::cli {

struct FailedRun {
  std::string run, state, cls, message, log;  // log: a path, "" when there is none
  int attempt = 0;
  std::optional<int> exit_code;
};

// Runs that failed for good or were skipped, in plan order.
std::vector<FailedRun> failed_runs(const SessionView& view);

// Runs by what the journal says of them: a summary is made of records, and a run that was skipped
// has none.
void count_runs(campaign::Summary& summary, const SessionView& view);

// Experiment, metric, n, mean, sd, unit, window; invalid and outlier columns where there are any,
// and below "invalid: 2 throttled (hw_thermal)", the runs that are, and which energy is not known
// well.
std::string summary_table(const campaign::Summary& summary, const Style& style);
// The same without the figures of the sampler, which a line names instead.
std::string brief_table(const campaign::Summary& summary, const Style& style);
// "10 runs: 8 completed, 2 of them invalid (throttled), 1 failed (oom), 1 skipped", then the failed
// ones, at most 20.
std::string outcome_text(const campaign::Summary& summary, const std::vector<FailedRun>& failed,
                         const Style& style);

struct SessionReport {
  const SessionResult* result = nullptr;
  std::vector<FailedRun> failed;
};
std::string session_json(const SessionReport& report);  // of up, resume and run

// The log of a run's attempt: stderr where it has any bytes, else stdout; "" when neither exists.
std::string log_of(const campaign::ResultsFolder& results, const std::string& run, int attempt);

}  // namespace controller::cli
