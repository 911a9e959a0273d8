// The vocabulary of the journal: what a controller writes down, one struct per event. README.md
// beside this file says what must be durable before what. Times are seconds on CLOCK_BOOTTIME
// unless a name says otherwise.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace campaign {

// Failure classes, execution.md. `none` is a success.
enum class FailureClass {
  none,
  payload,
  config,
  oom,
  gpu_oom,
  timeout,
  stalled,
  missing_result,
  invalid_result,
  infra,
  contaminated,
  interrupted
};
const char* name_of(FailureClass c);
std::optional<FailureClass> failure_class(const std::string& name);

// A point in time that survives a controller: valid by boottime on the same boot, else by UTC,
// clamped to [0, length].
struct Deadline {
  double boottime = 0;
  std::string boot;   // boot id
  double utc = 0;     // seconds since the epoch
  double length = 0;  // the full wait, seconds
};

// How the gap before a start ended, and how warm the run began.
struct GapEnd {
  std::string
      reason;  // fixed, in band, below band, stopped falling, max_wait, first run; "" = none
  double seconds = 0;  // since the last run on the same devices had ended; 0 = there was none
  std::map<std::string, double> celsius;  // by sensor: a GPU's UUID, a column of hwmon
};

namespace event {

struct SessionStarted {
  std::string uid, session, campaign_id, engine_id;
};
struct ControllerStarted {
  std::string host;
  std::int64_t pid = 0;
  std::string engine_id, version;
};
// Intent: durable before the engine is asked for anything.
struct Claimed {
  std::string run;
  int attempt = 1;
  int worker = 0;
  std::string container;  // the name it will have; "" for local runs
  std::string engine_id, host;
  int position = 0;     // the n-th run drawn in this session, from 1
  std::string service;  // that container is held alive and the run an exec in it; "" = its own
  std::string gpus;     // UUIDs of the devices that are leased for it, with commas
};
struct GapStarted {
  std::string run;
  int attempt = 1;
  Deadline until;
  std::string reason;
};
// Durable before start; makes the run `running`. Exactly one of container_id and pid is set.
struct Starting {
  std::string run;
  int attempt = 1;
  std::string container_id;
  std::int64_t pid = 0;
  std::uint64_t pid_start = 0;  // local: /proc/PID/stat field 22
  double utc = 0;
  std::string server;  // id of the server's container beside it, "" = none
  GapEnd gap;
};
struct Adopted {
  std::string run;
  int attempt = 1;
  std::string from;
  std::int64_t from_seq = 0;
  std::string container_id;
};
// What the process did; the run stays `running` until it is completed, failed or interrupted.
struct Exited {
  std::string run;
  int attempt = 1;
  std::optional<int> exit_code;
  std::optional<int> signal;
  bool oom_killed = false;
  std::string how;  // exited, timeout, stalled, stopped, lost
  double finished_utc = 0;
};
struct Completed {
  std::string run;
  int attempt = 1;
  double duration = 0;  // start to exit, seconds
  double finished_boottime = 0;
  double finished_utc = 0;
  double started_utc = 0;
  std::map<std::string, double> stages;  // stage -> seconds
  bool resumed = false;
  std::string invalid;  // why its figures do not count; "" = they do
};
struct Failed {
  std::string run;
  int attempt = 1;
  FailureClass cls = FailureClass::payload;
  std::optional<int> exit_code;
  std::optional<int> signal;
  bool oom_killed = false;
  std::string message;   // one line: what and where to look
  std::string log_tail;  // capped at 8 KiB, invalid UTF-8 replaced
  double duration = 0;
  double finished_boottime = 0;
  double finished_utc = 0;
  double started_utc = 0;
  std::map<std::string, double> stages;
  std::optional<double> retry_not_before_utc;  // set when another attempt is due
  bool final = true;                           // no attempts left
};
struct Interrupted {
  std::string run;
  int attempt = 1;
  std::string reason;
  double utc = 0;
};  // lost, signal, drain, disk
struct Released {
  std::string run;
  int attempt = 1;
};  // initialised -> pending; the attempt is not used
struct Skipped {
  std::string run;
  std::string reason;
};  // repeat_failure, config
struct Reopened {
  std::string run;
  std::string reason;
};  // --retry, --rerun, change: back to pending
struct Superseded {
  std::string run;
  int attempt = 1;
};  // its accepted result moved to superseded/
struct PilotDone {
  std::string experiment;
  int attempt = 1;
  bool ok = false;
  double duration = 0;
  std::string message;
};
struct CycleEntered {
  int cycle = 1;
};
struct PlanRevised {
  int revision = 0;
  std::string reason;
  std::vector<std::string> changes;
};
struct ImageResolved {
  std::string image, id, identity;
};
struct CleanupOwed {
  std::vector<std::string> argv;
};
struct CleanupDone {
  int exit_code = 0;
};
struct Paused {
  std::string reason;
};  // disk, max_failures, failure_threshold
struct Drained {
  std::string reason;
};  // stop, signal
struct Abandoned {
  std::string reason;
};  // --new over an unfinished session
struct Finished {
  int exit_code = 0;
};  // every run is done

}  // namespace event

using Event =
    std::variant<event::SessionStarted, event::ControllerStarted, event::Claimed, event::GapStarted,
                 event::Starting, event::Adopted, event::Exited, event::Completed, event::Failed,
                 event::Interrupted, event::Released, event::Skipped, event::Reopened,
                 event::Superseded, event::PilotDone, event::CycleEntered, event::PlanRevised,
                 event::ImageResolved, event::CleanupOwed, event::CleanupDone, event::Paused,
                 event::Drained, event::Abandoned, event::Finished>;

// A record as read back.
struct Record {
  std::int64_t seq = 0;
  std::string writer;  // the file it stands in, "<host>-<pid>-<boot8>-<n>"
  std::string t;       // UTC, RFC 3339 with microseconds
  std::int64_t mono_ns = 0;
  std::string boot;
  Event event;
};

const char* event_name(const Event& event);  // "claimed", "starting", ...
// One line without its newline: P + ,"crc32c":"xxxxxxxx"}. decode_record throws std::runtime_error.
std::string encode_record(const Record& record);
Record decode_record(const std::string& line);

}  // namespace campaign
