// The state of a session as it lies on disk: snapshot and journals together. Reading needs no lock
// and may happen while a controller writes.
#pragma once

#include "campaign/state/fold.hpp"
#include "campaign/state/journal.hpp"
#include "campaign/state/manifest.hpp"

namespace campaign {

struct SessionState {
  Fold fold;
  JournalReading reading;  // `damaged()`: nothing may start until it is repaired
};

// Folds the newest whole snapshot and every record behind it. Throws std::system_error when a file
// cannot be read.
SessionState read_session(const SessionFolder& session);
// The same from the journals alone; for fsck. Only meaningful while nothing was compacted.
SessionState read_session_without_snapshot(const SessionFolder& session);

// Makes snapshot.json durable. `offsets` are those of a reading, and Journal::offset() of a journal
// that is open.
void store_snapshot(const SessionFolder& session, const Snapshot& snapshot);

struct Compaction {
  std::int64_t bytes_before = 0, bytes_after = 0;
  std::size_t records = 0;  // that the base snapshot stands for
};
// Replaces the journals by journal/base.json. Needs the campaign's lock, and no journal of this
// process may be open. Throws std::runtime_error when the journals are damaged: they are repaired
// first.
Compaction compact_journal(const SessionFolder& session);

}  // namespace campaign
