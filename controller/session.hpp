// One execution of a campaign by this controller: up, resume, run. Takes the lock, folds,
// reconciles with the engine, runs the sequencer, sums up. Blocks until the session ends, drains,
// pauses or is stopped; handles INT, TERM and HUP meanwhile.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "campaign/config/loader.hpp"
#include "campaign/results/summary.hpp"
#include "controller/locate.hpp"

namespace controller {

class Progress;

struct UpOptions {
  bool fresh = false;  // --new
  bool accept_changes = false;
  bool pilot_only = false;
  bool abandon_engine = false;
  std::string retry, rerun, only;  // selectors, "" = none
};

// What to run: a campaign that was loaded from its file (up, run), or a located session (resume).
struct SessionRequest {
  std::optional<campaign::Campaign> campaign;
  std::optional<Located> located;
  UpOptions options;
  Progress* progress = nullptr;  // not owned
};

struct SessionResult {
  int exit_code = 0;              // see errors.hpp
  std::string message;            // why it ended, one line; "" when all is said by the summary
  bool already_finished = false;  // nothing was run: the session had ended before
  campaign::Manifest manifest;
  campaign::ResultsFolder results;
  campaign::Fold fold;  // the state of its runs at the end
  campaign::Summary summary;
};

SessionResult run_session(const SessionRequest& request);

// The plan of a file against the session that it would go on with, reading only. What `plan` and
// `up --dry-run` print.
struct PreviewRun {
  std::string run, experiment;
  int cycle = 1;
  std::string action;  // run, skip, retry, adopt, changed
  std::string why;
};
struct Preview {
  campaign::Campaign campaign;  // its warnings are those of the plan too, and of this host's GPUs
  campaign::Plan plan;
  campaign::Forecast forecast;
  std::vector<PreviewRun> runs;
  std::vector<campaign::PlanChange> changes;
  bool goes_on = false;  // with a session that exists
};
Preview preview(const campaign::Campaign& campaign, const UpOptions& options);

// Removes what a campaign that does not run has left on the engine: containers by uid. `down`.
struct DownRequest {
  std::optional<Located> located;  // none: orphans only
  bool orphans = false;            // those of dead controllers of any campaign
  bool force = false;              // also unproven ones
};
struct DownResult {
  std::vector<std::string> removed;  // names
  std::vector<std::string> left;     // "name: why"
};
DownResult down(const DownRequest& request);

}  // namespace controller
