// The append-only journal. One file per controller, each record durable when append returns.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "campaign/state/events.hpp"

namespace campaign {

// What time it is; injected, so that tests decide. All methods are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual double utc() const = 0;        // seconds since the epoch
  virtual double boottime() const = 0;   // CLOCK_BOOTTIME, seconds
  virtual std::int64_t monotonic_ns() const = 0;
  virtual std::string boot_id() const = 0;
};
const Clock& system_clock();
std::string rfc3339(double utc, int decimals = 3);

// No space left, or the file could not be written. The message names the file.
class JournalError : public std::runtime_error {
 public:
  JournalError(const std::string& what, int error);
  int error = 0;  // errno
  bool disk_full() const;
};

class Journal {
 public:
  // Opens <folder>/<writer>.jsonl for a writer name that no file has yet; preallocates 64 KiB.
  static std::unique_ptr<Journal> create(const std::filesystem::path& folder, const Clock& clock);
  virtual ~Journal() = default;
  // Writes and fdatasyncs. Several at once cost one sync. Returns the seq of the last. Throws JournalError.
  virtual std::int64_t append(const std::vector<Event>& events) = 0;
  virtual const std::string& writer() const = 0;
  // The record that was appended last, as a reader would see it (for the live fold).
  virtual const std::vector<Record>& last_appended() const = 0;
};

struct Damage {
  std::string file;
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
  std::string what;             // "bad crc", "not JSON", "zeroed", "sequence gap"
  bool tail = false;            // a torn tail is cut silently; anything else is damage
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
// Calls `take` for every whole record, file by file in order of their first record's time. Never throws for content.
JournalReading read_journals(const std::filesystem::path& folder, const ReadOptions& options,
                             const std::function<void(Record&&)>& take);
// Records the decision to go on without the damaged ranges: they are moved to <file>.damaged-<n> and left out.
void repair_journal(const std::filesystem::path& folder, const std::vector<Damage>& damage);

}  // namespace campaign
