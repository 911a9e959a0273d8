// The append-only journal. One file per controller, each record durable when append returns. The
// bytes of a record and what must be durable before what: README.md.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>

#include "campaign/state/events.hpp"

namespace campaign {

// What time it is; injected, so that tests decide. All methods are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual double utc() const = 0;       // seconds since the epoch
  virtual double boottime() const = 0;  // CLOCK_BOOTTIME, seconds
  virtual std::int64_t monotonic_ns() const = 0;
  virtual std::string boot_id() const = 0;
};
const Clock& system_clock();
std::string rfc3339(double utc, int decimals = 3);
double parse_rfc3339(const std::string& text);  // UTC with "Z"; 0 when it is no such time

// No space left, or the file could not be written. The message names the file.
class JournalError : public std::runtime_error {
 public:
  JournalError(const std::string& what, int error);
  int error = 0;  // errno
  bool disk_full() const;
};

// Not thread-safe: it belongs to the controller's loop.
class Journal {
 public:
  // Opens <folder>/<writer>.jsonl for a writer name that no file has yet; preallocates 64 KiB. The
  // name is
  // "<host>-<pid>-<boot8>-<n>", n one above the largest of the folder, so that n orders the
  // controllers of a session.
  static std::unique_ptr<Journal> create(const std::filesystem::path& folder, const Clock& clock);
  virtual ~Journal() = default;
  // Writes and fdatasyncs. Several at once cost one sync. Returns the seq of the last. Throws
  // JournalError, and then none of them counts. When the disk is full, events that only end
  // something (exited, completed, failed, interrupted, released, paused, drained, finished,
  // cleanup_done) still go into the 64 KiB that were set aside; after any other error every later
  // append throws as well.
  virtual std::int64_t append(const std::vector<Event>& events) = 0;
  virtual const std::string& writer() const = 0;
  // The record that was appended last, as a reader would see it (for the live fold).
  virtual const std::vector<Record>& last_appended() const = 0;
  virtual std::int64_t offset() const { return 0; }  // end of the last record, for a snapshot
};

struct Damage {
  std::string file;
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
  std::string
      what;  // "bad crc", "not JSON", "zeroed", "sequence gap", "unknown record version 2, ..."
  bool tail = false;              // a torn tail is cut silently; anything else is damage
  std::vector<std::string> runs;  // in doubt: those whose names can still be read there
  std::int64_t from_seq = 0,
               to_seq = 0;  // the records that are missing there, when the records around it tell
};

struct ReadOptions {
  std::map<std::string, std::int64_t> from;  // writer -> offset to start at (a snapshot's)
};
struct JournalReading {
  std::size_t records = 0;
  std::vector<Damage> damage;
  std::map<std::string, std::int64_t> offsets;  // writer -> end of the last whole record
  bool damaged() const;                         // anything but torn tails
};
// Calls `take` for every whole record, file by file in the order in which the controllers began
// (the n of their names). Never throws for content; std::system_error when a file cannot be read.
JournalReading read_journals(const std::filesystem::path& folder, const ReadOptions& options,
                             const std::function<void(Record&&)>& take);
// Records the decision to go on without the damaged ranges: they are moved to <file>.damaged-<n>,
// and a line
// {"repaired":...} stands in their place, after which readers accept the gap. Needs the campaign's
// lock.
void repair_journal(const std::filesystem::path& folder, const std::vector<Damage>& damage);

}  // namespace campaign
