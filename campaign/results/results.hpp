// Results on disk: where they lie, whether an attempt is whole, and how it becomes a result.
// Layout: state-and-results in docs/files.md. Nothing outside an attempt's folder is followed,
// nothing is overwritten.
#pragma once

#include <filesystem>
#include <functional>

#include "campaign/metrics/energy.hpp"
#include "campaign/metrics/verdicts.hpp"
#include "campaign/results/environment.hpp"
#include "campaign/state/manifest.hpp"

namespace campaign {

// <results_dir>/<campaign_id>/<session>. An attempt is named "<run>.a<n>".
struct ResultsFolder {
  std::filesystem::path folder;
  std::filesystem::path raw(const std::string& run) const { return folder / "raw" / run; }
  std::filesystem::path attempt(const std::string& attempt) const {
    return folder / "attempts" / attempt;
  }
  // An attempt between attempts/ and raw/: out of every payload's reach, ours being placed. Empty
  // but for a kill.
  std::filesystem::path accepting(const std::string& attempt) const {
    return folder / "accepting" / attempt;
  }
  // The record of an attempt that is being kept as failed, until that is journalled.
  std::filesystem::path keeping(const std::string& attempt) const {
    return folder / "keeping" / (attempt + ".json");
  }
  std::filesystem::path ctl(const std::string& attempt) const { return folder / "ctl" / attempt; }
  // What the sampler read, until it is placed: ctl/ is mounted where a payload reaches it.
  std::filesystem::path telemetry(const std::string& attempt) const {
    return folder / "telemetry" / (attempt + ".jsonl");
  }
  std::filesystem::path pilot(const std::string& attempt) const {
    return folder / "pilot" / attempt;
  }
  std::filesystem::path superseded(const std::string& attempt) const {
    return folder / "superseded" / attempt;
  }
  std::filesystem::path home(const std::string& experiment) const {
    return folder / "home" / experiment;
  }
};
std::string attempt_name(const std::string& run, int attempt);  // "<run>.a<n>"

// What the launcher wrote (container/launcher/README.md).
struct Outcome {
  std::optional<int> exit_code, signal;
  int exec_errno = 0;  // the command could not be executed
  std::string exec_error;
  std::int64_t start_mono_ns = 0, end_mono_ns = 0;
  double start_boottime = 0, end_boottime = 0, start_utc = 0, end_utc = 0;
  std::string boot;
  double user_s = 0, system_s = 0;
  std::int64_t max_rss_kb = 0;
  std::optional<std::int64_t> window_begin_ns, window_end_ns;
  std::int64_t stdout_bytes = 0, stderr_bytes = 0, stdout_kept = 0, stderr_kept = 0;
  int killed_descendants = 0;
  std::optional<std::string> stopped_by;  // the signal that told the launcher to stop the payload
};
std::optional<Outcome> read_outcome(
    const std::filesystem::path& ctl_folder);  // nullopt: absent or not whole

// run.json: the controller's record of an attempt. Everything that a report needs, recomputable.
struct RunRecord {
  std::string run, experiment, backend, hash;
  int cycle = 1, attempt = 1, position = 0, worker = 0, block = 0;
  std::string session, uid, campaign_id;
  std::string state;  // completed, failed, interrupted
  FailureClass cls = FailureClass::none;
  std::string message;
  std::optional<int> exit_code, signal;
  bool oom_killed = false;
  bool resumed = false, repeated = false;
  double queue_wait = 0, started_utc = 0, finished_utc = 0, duration = 0;  // seconds
  std::map<std::string, double> stages;
  double gap_seconds = 0;  // since the last run on the same devices had ended; 0 = none before
  std::string gap_reason;  // how the gap ended (GapEnd); "" = there was none
  std::map<std::string, double> start_temperatures_c;  // by sensor; empty = not known
  MeasureWindow window;
  std::vector<MetricValue> metrics;  // the seconds of the window are always one: "measure_seconds"
  std::optional<Outcome> outcome;
  std::optional<TelemetryRecord> telemetry;  // none: it was off
  std::optional<EnergyRecord> energy;        // none: it was off
  std::optional<GpuVerdicts> verdicts;       // none: it had no GPUs, or telemetry was off
  std::string strategy;                      // ephemeral, persistent
  int container_run = 0;  // persistent: the n-th run of its container, from 1; 0 = not known
  std::string overlap;    // gap, always
  std::vector<std::string> gpus;        // UUIDs of the devices it had to itself
  std::vector<std::string> neighbours;  // runs under way at the same time
  std::string image, image_id, image_identity, engine, engine_version, container_id, host;
  std::optional<EnvironmentRecord> environment;  // none: written by an early version
  bool launcher = true;                          // false: the engine's own answers were used
  bool valid = true;
  std::string invalid_reason;
  std::vector<std::string>
      notes;  // warnings: bytes left out of a log, OOM-killed child, several window marks
};
std::string write_run_record(
    const RunRecord& record);  // schema_version 1; texts are capped at 64 KiB
// Throws std::runtime_error that names the member. Unknown members are ignored, absent ones keep
// their default; run, attempt and state must be there, and the schema version must be 1.
RunRecord read_run_record(const std::string& text);

// Collection. `collect_attempt` checks what the payload left under attempts/ and decides; it
// changes nothing.
struct CollectRequest {
  ResultsFolder folder;
  std::string attempt;  // "<run>.a<n>"
  const Collect* collect =
      nullptr;  // nullptr: nothing is required, sizes are capped at the default
  std::optional<int> processes;
  std::map<std::string, double> stages;  // seconds so far, for stage metrics
  double process_seconds = 0;  // the window's length when there is no outcome of the launcher
};
struct Verdict {
  FailureClass cls = FailureClass::none;  // none, missing_result or invalid_result
  std::string message;                    // "process_1.json is missing (processes: 2)"
  MeasureWindow window;
  std::vector<MetricValue> metrics;
  std::vector<std::string> notes;
  std::int64_t bytes = 0;
};
// Looks into attempts/ and, after a kill during its acceptance, accepting/. Content never makes it
// throw; the first thing that is wrong decides, but window and metrics are given as far as they can
// be read.
Verdict verify_attempt(const CollectRequest& request, const Outcome* outcome);

// Moves the attempt to accepting/, places ours there (run.json, config.yaml and logs out of ctl/,
// markers with hashes), fsyncs everything, renames it to raw/<run> and fsyncs both folders.
// `record` is written as run.json, with the stage metrics that its stages know. Idempotent after a
// kill at any instant; never overwrites another attempt's result. The launcher's outcome.json stays
// in ctl/. Precondition: verify_attempt found nothing wrong. Throws std::system_error (disk full)
// or std::runtime_error.
void accept_attempt(const CollectRequest& request, const RunRecord& record);
// A failed or interrupted attempt keeps its logs and record in attempts/<run>.a<n>. A payload's
// file under one of our names is renamed to <name>.payload. Idempotent. Throws like accept_attempt.
void keep_failed_attempt(const CollectRequest& request, const RunRecord& record);
// Both put the record where no payload reaches it before they move anything: after a kill it says
// what was decided. nullopt: nothing was, and everything lies where it can be decided again.
std::optional<RunRecord> decided_record(const ResultsFolder& folder, const std::string& run,
                                        int attempt);
// Once the failure is journalled. A file that stays does no harm.
void forget_decision(const ResultsFolder& folder, const std::string& attempt);
// raw/<run> exists with a whole run.json: that record. Verifies markers and hashes; throws
// std::runtime_error when they do not match.
std::optional<RunRecord> accepted_record(const ResultsFolder& folder, const std::string& run);
// raw/<run> -> superseded/<run>.a<attempt>. Idempotent; throws std::runtime_error when raw/ holds
// another attempt.
void supersede(const ResultsFolder& folder, const std::string& run, int attempt);
// The largest attempt number that attempts/, accepting/, ctl/, raw/ and superseded/ hold for a run;
// 0 = none. Looks for each number by name, and stops after 32 in a row that no folder has: its cost
// does not grow with the campaign.
int largest_attempt_on_disk(const ResultsFolder& folder, const std::string& run);

// Every record of raw/<run>/run.json, one at a time in order of run name; hashes are not verified.
// What cannot be read is a problem, one line each, and does not stop the reading.
struct RecordReading {
  std::size_t records = 0;
  std::vector<std::string> problems;
};
RecordReading read_records(const ResultsFolder& folder,
                           const std::function<void(RunRecord&&)>& take);
// The same for the attempts that were kept: attempts/<run>.a<n>/run.json. Those without a run.json
// are left out silently.
RecordReading read_kept_records(const ResultsFolder& folder,
                                const std::function<void(RunRecord&&)>& take);

// The last lines of a log: at most `lines` and `bytes`, invalid UTF-8 replaced by U+FFFD.
struct TailLimit {
  std::size_t lines = 100;
  std::size_t bytes = 8192;
};
std::string log_tail(const std::filesystem::path& log, const TailLimit& limit);

}  // namespace campaign
