// Files that are never half-written, the lock of a campaign, and signs of life.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "campaign/state/journal.hpp"

namespace campaign {

// Temp file, fsync, rename, fsync of the folder: content and mode are there together or not at all.
// Throws std::system_error with the path.
inline constexpr std::filesystem::perms private_file{0600};
void write_atomically(const std::filesystem::path& path, const std::string& content,
                      std::filesystem::perms mode = private_file);
// Same, but fails with EEXIST when the file is there (a link of the temp file).
void write_exclusively(const std::filesystem::path& path, const std::string& content);
std::string read_file(const std::filesystem::path& path);  // throws std::system_error
void sync_folder(const std::filesystem::path& folder);
void make_private_folders(const std::filesystem::path& folder);  // 0700, like mkdir -p; durable
// For what can be made again: 0700 and 0600 too, but not durable and not in one step. Throw
// std::system_error.
void make_scratch_folders(const std::filesystem::path& folder);
void write_scratch(const std::filesystem::path& path, const std::string& content);

// Who holds a campaign.
struct Holder {
  std::string host;
  std::int64_t pid = 0;
  std::string boot, job, since;
  std::string text() const;  // "pid 4711 on node7 since 2026-11-21T00:43:00Z"
};

// controller.lock: flock, exclusive, O_CLOEXEC; its text only names the holder. Released by the
// destructor or death.
class Lock {
 public:
  // nullopt in `lock` when another controller holds it; then `holder` says who.
  struct Attempt;
  static Attempt take(const std::filesystem::path& path, const Clock& clock);
  virtual ~Lock() = default;
};
struct Lock::Attempt {
  std::unique_ptr<Lock> lock;
  Holder holder;
};
// True when nobody holds it (LOCK_SH|LOCK_NB succeeds) or the file is gone: the proof that an owner
// is dead.
bool lock_is_free(const std::filesystem::path& path);

// heartbeat/<writer>.json
struct Heartbeat {
  std::string writer, host, stage, wait_reason;
  std::int64_t pid = 0;
  double utc = 0;
  double interval = 1;  // seconds between beats
  std::optional<double> wait_until_utc;
  struct Worker {
    int id = 0;
    std::string run, stage;
    std::string wait;  // what it waits for before it has a run
    double started_utc = 0;
    double initialization_ms = 0;
  };
  std::vector<Worker> workers;
  // What lives longer than a run: a container that is held for runs, or another supervised service.
  struct Service {
    std::string name, service;        // of its container or supervisor; what it is there
    std::optional<int> worker;        // whose it is
    std::string state;                // running, waiting, ...: docs/supervision.md
    std::optional<double> since_utc;  // while it runs: since when
    int restarts = 0;                 // since its first start, wanted ones included
  };
  std::vector<Service> services;
};
void write_heartbeat(const std::filesystem::path& folder,
                     const Heartbeat& beat);  // no fsync: replaced each second
std::vector<Heartbeat> read_heartbeats(const std::filesystem::path& folder);

// control/<n>.json: requests to a running controller.
struct StopRequest {
  enum class When { after_run, after_cycle, now } when = When::after_run;
};
void write_stop_request(const std::filesystem::path& folder, const StopRequest& request);
// Reads and removes; the strongest of several.
std::optional<StopRequest> take_stop_request(const std::filesystem::path& folder);

// A folder or file that is not the caller's, or that group or others may write: says so; "" when
// all is well.
std::string unsafe_ownership(const std::filesystem::path& path);

}  // namespace campaign
