// The state of a session: what its journal adds up to. Live code and recovery go through the same
// apply(). The result does not depend on how several writers' records are interleaved.
#pragma once

#include <compare>
#include <string_view>
#include <unordered_map>

#include "campaign/state/events.hpp"

namespace campaign {

enum class RunPhase : std::uint8_t {
  pending,
  initialised,
  running,
  completed,
  aggregated,
  failed,
  interrupted,
  skipped
};
const char* name_of(RunPhase phase);

// Where an event stands in the order of a session: controllers by the n of their names, then by
// sequence.
struct Stamp {
  int generation = 0;
  std::uint32_t writer = 0;  // CRC-32C of its name, so that two of one n have an order too
  std::int64_t seq = 0;
  auto operator<=>(const Stamp&) const = default;
};

struct RunState {
  RunPhase phase = RunPhase::pending;
  int attempt = 0;   // the current or last one; 0 = none yet
  int failures = 0;  // attempts that failed, but for interrupted and contaminated ones
  int reruns = 0;    // attempts that were contaminated
  int interruptions = 0;
  FailureClass cls = FailureClass::none;
  bool final = false;  // failed with no attempts left
  bool exit_known = false;
  bool repeated =
      false;  // ran outside its block (--rerun, --retry): left out of paired comparisons
  bool resumed = false;
  int worker = 0;
  int position = 0;
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string owner;      // writer
  std::string container;  // name
  std::string container_id;
  std::string service;  // it is an exec in a container that is held alive; "" = not
  std::string server;   // id of the server's container beside it
  std::string gpus;     // UUIDs of its devices, with commas
  std::string engine_id, host;
  std::int64_t pid = 0;
  std::uint64_t pid_start = 0;
  double claimed_utc = 0, started_utc = 0, finished_utc = 0;
  double duration = 0;
  double verification = 0;  // seconds of the collect stage
  double retry_not_before_utc = 0;
  GapEnd gap;           // of the attempt that is running
  std::string message;  // why it failed or was skipped; of a completed one why it does not count
  bool done() const;    // completed, aggregated, skipped, or failed with no attempts left

  // What apply() needs so that the order of arrival does not matter.
  int released = 0;              // the attempt above `attempt` that was given back unused; 0 = none
  int top = 0;                   // the largest attempt that any event names
  Stamp top_used, top_released;  // its last use and its last release
  unsigned seen = 0;             // bits of the current attempt's events
  Stamp moved;         // last event, but for hand-overs, releases and interruptions: it ends a gap
  Stamp refused_skip;  // came while the run was not waiting; takes effect if an earlier event makes
                       // it wait
  std::string refused_reason;
  Stamp newest;   // last event of the current attempt
  Stamp barrier;  // last event that set the run back: released, skipped, reopened, superseded
  Stamp ended;    // the event that ended the current attempt
  Stamp claimed, started, exited;  // the latest of each
  Stamp owned;                     // the claim or adoption that gave it its owner
  Stamp handed_over;               // last event of the owner before, when it was adopted
};

// A gap that was announced for a run that has not started since.
struct PendingGap {
  Stamp stamp;
  Deadline until;
};

// How warm a sensor was when the first run of the session began that knows it.
struct FirstWarmth {
  Stamp stamp;
  double celsius = 0;
};

struct Fold {
  std::string uid, session, campaign_id;
  std::unordered_map<std::string, RunState> runs;  // only those with a record
  std::map<std::string, RunState> pilots;          // "<experiment>.p"
  std::map<std::string, event::ImageResolved> images;
  std::map<std::string, std::int64_t> last_seq;  // writer -> seq
  std::vector<std::pair<std::string, FailureClass>>
      outcomes;                 // since the last pause, newest last, at most 1000
  std::optional<Deadline> gap;  // a gap under way when the record was written
  std::string gap_run;
  std::map<std::string, FirstWarmth> first_warmth;  // by sensor
  double last_finished_utc = 0, last_finished_boottime = 0;
  std::string last_finished_boot;
  int cycle_entered = 0;
  int position = 0;
  int revision = 0;
  std::optional<std::vector<std::string>> cleanup_owed;
  bool abandoned = false;
  std::optional<int> finished;  // exit code
  std::string paused, drained;  // reason, "" = not
  double started_utc = 0, ended_utc = 0, last_utc = 0;
  std::vector<std::string> violations;  // sorted, at most 1000; transitions that the design does
                                        // not allow: a bug or damage; shown by fsck

  // What apply() needs so that the order of arrival does not matter.
  std::vector<Stamp> outcome_stamps;       // of `outcomes`, ascending
  std::map<std::string, Stamp> latest;     // of values that the last event sets
  std::map<std::string, PendingGap> gaps;  // by run

  const RunState& run(
      const std::string& run_id) const;  // a pending state for a run without records
};

// A record whose writer's seq is not above last_seq is ignored, so that a snapshot and a journal
// may overlap. Records of one writer must come in their order.
void apply(Fold& fold, const Record& record);
void choose_gap(Fold& fold);               // `gap` becomes the latest of `gaps`
bool is_pilot(const std::string& run_id);  // "<experiment>.p"

// snapshot.json: the fold and an offset per writer. read_snapshot gives nothing when the file is
// absent or not whole.
struct Snapshot {
  Fold fold;
  std::map<std::string, std::int64_t> offsets;
};
std::string write_snapshot(const Snapshot& snapshot);
std::optional<Snapshot> read_snapshot(const std::string& text);

}  // namespace campaign
