// What `status` says of a campaign: figures over runs, cycles and workers from the files of a
// session alone. Pure but for `look`, which reads them. Durations are seconds, none = unknown
// (never 0); percentiles interpolate linearly at p/100 * (n-1).
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "campaign/state/files.hpp"
#include "controller/cli/console.hpp"

namespace controller::cli {

struct RunFigures {
  std::string run, experiment, state, cls;
  std::string invalid;  // of a completed one: why its figures do not count
  int cycle = 1, attempt = 0;
  std::optional<double> queue_wait = {}, execution = {}, verification = {}, total = {};
};

struct CycleFigures {
  int cycle = 1;
  // pending, running, interrupted (it ran when its controller ended), partial (begun, nothing under
  // way), done
  std::string state;
  std::optional<double> duration, mean, p50, p95;
  std::size_t runs = 0, completed = 0, failed = 0;
};

struct WorkerFigures {
  int id = 0;
  std::optional<double> initialization, uptime, total, mean;
  std::size_t completed = 0, failed = 0;
  std::vector<std::string> gpus;  // UUIDs: of the run under way, else of its last one
  std::string run, stage;         // under way now
  std::string wait;               // for what, before it has a run
  double since_utc = 0;
};

struct WaitFigures {
  std::string stage, reason;
  std::optional<double> until_utc;
};

struct StatusReport {
  std::string campaign_id, name, session, uid;
  std::string state;   // running, gone, interrupted, stopped, drained, paused, finished, abandoned
  std::string detail;  // why it is in that state, "" = nothing to add
  double computed_utc = 0;
  std::optional<double> duration, remaining;
  std::size_t total = 0, completed = 0, failed = 0, running = 0, pending = 0, skipped = 0;
  int cycle = 0, cycles = 0, cycles_completed = 0;
  std::optional<WaitFigures> wait;
  std::vector<CycleFigures> cycles_list;
  std::vector<WorkerFigures> workers;
  std::vector<campaign::Heartbeat::Service> services;  // what lives longer than a run, now
  std::vector<RunFigures> runs;                        // only when asked for
  std::vector<std::string> warnings;                   // damage, violations
};

// What one look gives beside the files' content.
struct Observation {
  const SessionView* view = nullptr;
  std::vector<campaign::Heartbeat> beats;
  bool held = false;  // somebody holds the campaign's lock
  std::string host;   // where we look from
  double utc = 0;
  bool with_runs = false;
};
StatusReport make_status(const Observation& observation);

// Heartbeats, lock and clock of this moment.
Observation look(const SessionView& view);

struct StatusParts {
  bool runs = false, workers = false;
};
std::string status_text(const StatusReport& report, const StatusParts& parts, const Style& style);
std::string status_json(const StatusReport& report,
                        const StatusParts& parts);  // one object, one line feed
std::string status_json(const std::vector<StatusReport>& reports, const StatusParts& parts);

}  // namespace controller::cli
