#include "campaign/state/session_state.hpp"

#include <sys/stat.h>

#include <array>
#include <stdexcept>
#include <system_error>

#include "campaign/state/files.hpp"

namespace campaign {

namespace {

namespace fs = std::filesystem;

fs::path base_of(const SessionFolder& session) { return session.journal() / "base.json"; }

// Tells whether a file was replaced meanwhile.
using Identity = std::array<std::int64_t, 4>;
Identity identity(const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {static_cast<std::int64_t>(status.st_ino), status.st_size, status.st_mtim.tv_sec,
          status.st_mtim.tv_nsec};
}

std::optional<Snapshot> snapshot_at(const fs::path& path) {
  try {
    return read_snapshot(read_file(path));
  } catch (const std::system_error&) {
    return std::nullopt;
  }
}

SessionState read_from(const SessionFolder& session, std::optional<Snapshot> snapshot) {
  SessionState state;
  ReadOptions options;
  if (snapshot) {
    state.fold = std::move(snapshot->fold);
    options.from = std::move(snapshot->offsets);
  }
  state.reading = read_journals(session.journal(), options,
                                [&](Record&& record) { apply(state.fold, record); });
  for (const auto& [writer, offset] : options.from) state.reading.offsets.emplace(writer, offset);
  return state;
}

SessionState read_once(const SessionFolder& session) {
  std::optional<Snapshot> snapshot = snapshot_at(session.snapshot());
  bool base_is_lost = false;
  if (!snapshot) {
    snapshot = snapshot_at(base_of(session));
    base_is_lost = !snapshot && fs::exists(base_of(session));
  }
  SessionState state = read_from(session, std::move(snapshot));
  if (base_is_lost) {
    Damage damage;
    damage.file = base_of(session).string();
    damage.bytes = static_cast<std::int64_t>(fs::file_size(base_of(session)));
    damage.what = "the compacted journal is not whole, and there is no snapshot";
    state.reading.damage.push_back(std::move(damage));
  }
  return state;
}

std::int64_t bytes_in(const fs::path& folder) {
  std::int64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += static_cast<std::int64_t>(entry.file_size());
  }
  return bytes;
}

}  // namespace

SessionState read_session(const SessionFolder& session) {
  constexpr int tries = 3;
  SessionState state;
  for (int i = 0; i < tries; ++i) {
    const Identity before = identity(base_of(session));
    state = read_once(session);
    if (identity(base_of(session)) == before) break;
  }
  return state;
}

SessionState read_session_without_snapshot(const SessionFolder& session) {
  return read_from(session, snapshot_at(base_of(session)));
}

void store_snapshot(const SessionFolder& session, const Snapshot& snapshot) {
  write_atomically(session.snapshot(), write_snapshot(snapshot));
}

Compaction compact_journal(const SessionFolder& session) {
  SessionState state = read_session(session);
  if (state.reading.damaged()) {
    throw std::runtime_error("the journal in " + session.journal().string() +
                             " is damaged; run `campaignctl journal fsck` first");
  }
  Compaction compaction;
  compaction.bytes_before = bytes_in(session.journal());
  for (const auto& [writer, seq] : state.fold.last_seq)
    compaction.records += static_cast<std::size_t>(seq);
  const Snapshot snapshot{std::move(state.fold), std::move(state.reading.offsets)};
  const std::string text = write_snapshot(snapshot);
  write_atomically(base_of(session), text);
  write_atomically(session.snapshot(), text);
  for (const auto& [writer, offset] : snapshot.offsets) {
    const fs::path file = session.journal() / (writer + ".jsonl");
    if (fs::exists(file) && fs::file_size(file) > 0) write_atomically(file, "");
  }
  compaction.bytes_after = bytes_in(session.journal());
  return compaction;
}

}  // namespace campaign
