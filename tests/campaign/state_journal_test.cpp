#include "campaign/state/journal.hpp"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "campaign/state/files.hpp"
#include "tests/support/campaign/state_support.hpp"

namespace campaign {
namespace {

namespace fs = std::filesystem;
using testing::ManualClock;
using testing::normal_run;
using testing::record;
using testing::TemporaryFolder;

const std::string writer = "node7-11-0f1e2d3c-1";

void put(const fs::path& path, const std::string& text) {
  fs::remove(path);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// The text of a journal over several runs, and where each record ends in it.
struct Text {
  std::string bytes;
  std::vector<std::size_t> ends;
};
Text several_runs(int runs) {
  Text text;
  std::int64_t seq = 0;
  for (int i = 1; i <= runs; ++i) {
    for (Event& event : normal_run("tiny.c0" + std::to_string(i), 1)) {
      text.bytes += encode_record(record(writer, ++seq, std::move(event))) + "\n";
      text.ends.push_back(text.bytes.size());
    }
  }
  return text;
}

class JournalFiles : public ::testing::Test {
 protected:
  fs::path file() const { return folder.path() / (writer + ".jsonl"); }
  JournalReading read(const ReadOptions& options = {}) {
    seqs.clear();
    records.clear();
    return read_journals(folder.path(), options, [this](Record&& one) {
      seqs.push_back(one.seq);
      records.push_back(std::move(one));
    });
  }
  std::vector<std::int64_t> all_but(std::vector<std::int64_t> missing, std::int64_t count) const {
    std::vector<std::int64_t> left;
    for (std::int64_t seq = 1; seq <= count; ++seq) {
      if (std::find(missing.begin(), missing.end(), seq) == missing.end()) left.push_back(seq);
    }
    return left;
  }

  TemporaryFolder folder;
  ManualClock clock;
  std::vector<std::int64_t> seqs;
  std::vector<Record> records;
};

TEST_F(JournalFiles, AppendedEventsAreReadBack) {
  const auto journal = Journal::create(folder.path(), clock);
  EXPECT_EQ(journal->append(normal_run("tiny.c01", 1)), 5);
  EXPECT_EQ(journal->append({event::Paused{"disk"}}), 6);
  EXPECT_EQ(journal->last_appended().at(0).seq, 6);
  EXPECT_EQ(journal->last_appended().at(0).boot, clock.boot_id());
  const JournalReading reading = read();
  EXPECT_EQ(reading.records, 6u);
  EXPECT_TRUE(reading.damage.empty());
  EXPECT_EQ(reading.offsets.at(journal->writer()), journal->offset());
  for (const Record& one : records) EXPECT_EQ(one.boot, clock.boot_id());
  EXPECT_EQ(records[5].writer, journal->writer());
}

TEST_F(JournalFiles, ReserveIsZerosBehindTheEndAndGivenBack) {
  auto journal = Journal::create(folder.path(), clock);
  const fs::path path = folder.path() / (journal->writer() + ".jsonl");
  EXPECT_EQ(fs::file_size(path), 65536u);
  journal->append(normal_run("tiny.c01", 1));
  EXPECT_GE(fs::file_size(path), static_cast<std::uintmax_t>(journal->offset()) + 65536u);
  const auto end = static_cast<std::uintmax_t>(journal->offset());
  journal.reset();
  EXPECT_EQ(fs::file_size(path), end);
}

TEST_F(JournalFiles, NamesTellHostProcessBootAndOrder) {
  const auto first = Journal::create(folder.path(), clock);
  const auto second = Journal::create(folder.path(), clock);
  EXPECT_TRUE(first->writer().ends_with("-" + std::to_string(::getpid()) + "-0f1e2d3c-1"))
      << first->writer();
  EXPECT_TRUE(second->writer().ends_with("-0f1e2d3c-2")) << second->writer();
  EXPECT_EQ(fs::status(folder.path() / (first->writer() + ".jsonl")).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(JournalFiles, AreReadInTheOrderInWhichTheirControllersBegan) {
  put(folder.path() / "z-1-b-2.jsonl", encode_record(record("", 1, event::CycleEntered{2})) + "\n");
  put(folder.path() / "a-1-b-10.jsonl",
      encode_record(record("", 1, event::CycleEntered{3})) + "\n");
  put(folder.path() / "m-1-b-1.jsonl", encode_record(record("", 1, event::CycleEntered{1})) + "\n");
  read();
  ASSERT_EQ(records.size(), 3u);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(std::get<event::CycleEntered>(records[i].event).cycle, i + 1);
}

TEST_F(JournalFiles, CutAtEveryByteKeepsEveryRecordThatEndsBefore) {
  const Text text = several_runs(4);
  for (const bool reserve : {false, true}) {
    for (std::size_t size = 0; size <= text.bytes.size(); ++size) {
      put(file(), text.bytes.substr(0, size) + (reserve ? std::string(300, '\0') : ""));
      const JournalReading reading = read();
      const auto whole = static_cast<std::size_t>(std::count_if(
          text.ends.begin(), text.ends.end(), [&](std::size_t end) { return end <= size + 1; }));
      ASSERT_EQ(reading.records, whole) << size;
      ASSERT_FALSE(reading.damaged()) << size;
      ASSERT_LE(reading.damage.size(), 1u) << size;
    }
  }
}

TEST_F(JournalFiles, EveryFlippedByteIsDetected) {
  const Text text = several_runs(2);
  for (std::size_t i = 0; i < text.bytes.size(); ++i) {
    for (const int mask : {1, 0x80, 0xff}) {
      std::string bad = text.bytes;
      bad[i] = static_cast<char>(bad[i] ^ mask);
      put(file(), bad);
      const JournalReading reading = read();
      ASSERT_FALSE(reading.damage.empty()) << i;
      ASSERT_GE(reading.records, text.ends.size() - 1) << i;
      if (i + 1 < text.bytes.size()) ASSERT_TRUE(reading.damaged()) << i;
    }
  }
}

TEST_F(JournalFiles, DamageSaysWhereWhatAndWhichRuns) {
  Text text = several_runs(3);
  text.bytes[text.ends[6] + 60] ^= 1;
  put(file(), text.bytes);
  const JournalReading reading = read();
  EXPECT_EQ(seqs, all_but({8}, 15));
  ASSERT_EQ(reading.damage.size(), 1u);
  const Damage& damage = reading.damage[0];
  EXPECT_EQ(damage.file, file().string());
  EXPECT_EQ(damage.offset, static_cast<std::int64_t>(text.ends[6]));
  EXPECT_EQ(damage.bytes, static_cast<std::int64_t>(text.ends[7] - text.ends[6] - 1));
  EXPECT_EQ(damage.what, "bad crc");
  EXPECT_EQ(damage.runs, std::vector<std::string>{"tiny.c02"});
  EXPECT_EQ(damage.from_seq, 8);
  EXPECT_EQ(damage.to_seq, 8);
}

TEST_F(JournalFiles, ZeroedRangesAreDamage) {
  const Text text = several_runs(3);
  for (std::size_t begin = 0; begin + 100 < text.ends[9]; begin += 37) {
    std::string bad = text.bytes;
    std::fill_n(bad.begin() + static_cast<std::ptrdiff_t>(begin), 100, '\0');
    put(file(), bad);
    const JournalReading reading = read();
    ASSERT_TRUE(reading.damaged()) << begin;
    ASSERT_EQ(reading.damage[0].what, "zeroed") << begin;
    ASSERT_GE(reading.records, 13u) << begin;
  }
}

TEST_F(JournalFiles, ZeroedLastRecordIsATornTail) {
  const Text text = several_runs(1);
  put(file(), text.bytes.substr(0, text.ends[3]) + std::string(50, '\0') +
                  text.bytes.substr(text.ends[3] + 50) + std::string(4096, '\0'));
  const JournalReading reading = read();
  EXPECT_EQ(reading.records, 4u);
  EXPECT_FALSE(reading.damaged());
  ASSERT_EQ(reading.damage.size(), 1u);
  EXPECT_TRUE(reading.damage[0].tail);
}

TEST_F(JournalFiles, FlippedLastRecordIsDamage) {
  Text text = several_runs(1);
  text.bytes[text.ends[3] + 30] ^= 1;
  put(file(), text.bytes + std::string(4096, '\0'));
  EXPECT_TRUE(read().damaged());
}

TEST_F(JournalFiles, RemovedLineIsASequenceGap) {
  const Text text = several_runs(2);
  put(file(), text.bytes.substr(0, text.ends[2]) + text.bytes.substr(text.ends[4]));
  const JournalReading reading = read();
  ASSERT_EQ(reading.damage.size(), 1u);
  EXPECT_EQ(reading.damage[0].what, "sequence gap");
  EXPECT_EQ(reading.damage[0].from_seq, 4);
  EXPECT_EQ(reading.damage[0].to_seq, 5);
  EXPECT_TRUE(reading.damaged());
}

TEST_F(JournalFiles, MissingBeginningIsASequenceGap) {
  const Text text = several_runs(1);
  put(file(), text.bytes.substr(text.ends[0]));
  EXPECT_TRUE(read().damaged());
}

TEST_F(JournalFiles, RubbishNeverThrows) {
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    std::string rubbish;
    for (unsigned n = random() % 400; n > 0; --n) {
      switch (random() % 6) {
        case 0:
          rubbish += "{\"v\":1,";
          break;
        case 1:
          rubbish += ",\"crc32c\":\"00000000\"}";
          break;
        case 2:
          rubbish += '\n';
          break;
        case 3:
          rubbish += '\0';
          break;
        default:
          rubbish += static_cast<char>(random());
      }
    }
    put(file(), rubbish);
    EXPECT_EQ(read().records, 0u);
  }
  put(file(), "");
  EXPECT_TRUE(read().damage.empty());
  EXPECT_TRUE(read_journals(folder.path() / "none", {}, [](Record&&) {}).damage.empty());
}

TEST_F(JournalFiles, ReadingGoesOnWhereASnapshotEnds) {
  const Text text = several_runs(2);
  put(file(), text.bytes);
  const JournalReading reading = read({{{writer, static_cast<std::int64_t>(text.ends[6])}}});
  EXPECT_EQ(seqs, (std::vector<std::int64_t>{8, 9, 10}));
  EXPECT_FALSE(reading.damaged());
  EXPECT_EQ(reading.offsets.at(writer), static_cast<std::int64_t>(text.bytes.size()));
  EXPECT_EQ(read({{{writer, 1'000'000}}}).records, 0u);
}

TEST_F(JournalFiles, RepairLeavesOutWhatIsDamagedAndKeepsIt) {
  Text text = several_runs(3);
  text.bytes[text.ends[6] + 60] ^= 1;
  std::fill_n(text.bytes.begin() + static_cast<std::ptrdiff_t>(text.ends[9] - 20), 100, '\0');
  put(file(), text.bytes);
  const JournalReading before = read();
  ASSERT_TRUE(before.damaged());
  const auto kept = seqs;
  repair_journal(folder.path(), before.damage);
  const JournalReading after = read();
  EXPECT_TRUE(after.damage.empty());
  EXPECT_EQ(seqs, kept);
  EXPECT_NE(read_file(file()).find("{\"repaired\":"), std::string::npos);
  EXPECT_TRUE(fs::exists(file().string() + ".damaged-1"));
  EXPECT_EQ(static_cast<std::int64_t>(read_file(file().string() + ".damaged-1").size()),
            before.damage[0].bytes);
}

TEST_F(JournalFiles, RepairAcceptsASequenceGap) {
  const Text text = several_runs(2);
  put(file(), text.bytes.substr(text.ends[0], text.ends[2] - text.ends[0]) +
                  text.bytes.substr(text.ends[4]));
  const JournalReading before = read();
  ASSERT_EQ(before.damage.size(), 2u);
  repair_journal(folder.path(), before.damage);
  EXPECT_TRUE(read().damage.empty());
  EXPECT_EQ(seqs, all_but({1, 4, 5}, 10));
}

TEST_F(JournalFiles, EveryRepairedFlipReadsClean) {
  const Text text = several_runs(1);
  for (std::size_t i = 0; i + 1 < text.bytes.size(); i += 11) {
    std::string bad = text.bytes;
    bad[i] = static_cast<char>(bad[i] ^ 0x80);
    put(file(), bad);
    const JournalReading before = read();
    const auto kept = seqs;
    repair_journal(folder.path(), before.damage);
    ASSERT_FALSE(read().damaged()) << i;
    ASSERT_EQ(seqs, kept) << i;
  }
}

class SessionFiles : public JournalFiles {
 protected:
  SessionFolder session{folder.path() / "demo" / "s"};
  void write(int runs, const std::string& prefix) {
    const auto journal = Journal::create(session.journal(), clock);
    for (int i = 0; i < runs; ++i)
      journal->append(normal_run(prefix + ".c" + std::to_string(10 + i), 1));
  }
};

TEST_F(SessionFiles, SnapshotAndRestGiveTheFoldOfAll) {
  write(3, "a");
  SessionState first = read_session(session);
  store_snapshot(session, {first.fold, first.reading.offsets});
  write(2, "b");
  const SessionState state = read_session(session);
  EXPECT_EQ(state.reading.records, 10u);
  EXPECT_EQ(state.fold.runs.size(), 5u);
  EXPECT_EQ(testing::text_of(state.fold),
            testing::text_of(read_session_without_snapshot(session).fold));
  put(session.snapshot(), "{\"snapshot\":1");
  EXPECT_EQ(testing::text_of(read_session(session).fold), testing::text_of(state.fold));
}

TEST_F(SessionFiles, CompactionKeepsTheFoldAndTheOrderOfControllers) {
  write(3, "a");
  write(3, "b");
  const std::string before = testing::text_of(read_session(session).fold);
  const Compaction compaction = compact_journal(session);
  EXPECT_EQ(compaction.records, 30u);
  EXPECT_LT(compaction.bytes_after, compaction.bytes_before);
  EXPECT_EQ(testing::text_of(read_session(session).fold), before);
  fs::remove(session.snapshot());
  EXPECT_EQ(testing::text_of(read_session(session).fold), before);
  write(1, "c");
  EXPECT_TRUE(Journal::create(session.journal(), clock)->writer().ends_with("-4"));
  const SessionState state = read_session(session);
  EXPECT_EQ(state.fold.runs.size(), 7u);
  EXPECT_FALSE(state.reading.damaged());
  compact_journal(session);
  EXPECT_EQ(testing::text_of(read_session(session).fold), testing::text_of(state.fold));
}

TEST_F(SessionFiles, LostBaseOfACompactedJournalIsDamage) {
  write(3, "a");
  compact_journal(session);
  fs::remove(session.snapshot());
  put(session.journal() / "base.json", "{\"snapshot\":1");
  EXPECT_TRUE(read_session(session).reading.damaged());
  EXPECT_THROW(compact_journal(session), std::runtime_error);
}

// A file system of 256 KiB; needs root.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& path) : path_(path) {
    fs::create_directories(path);
    mounted_ = ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=256k,mode=700") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }

 private:
  fs::path path_;
  bool mounted_ = false;
};

TEST_F(JournalFiles, FullDiskLeavesRoomForTheEndOfWhatRuns) {
  const SmallDisk disk(folder.path() / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small file system needs root";
  const fs::path inside = folder.path() / "disk" / "journal";
  auto journal = Journal::create(inside, clock);
  int started = 0;
  bool full = false;
  while (!full && started < 10'000) {
    try {
      journal->append(
          {event::Claimed{"tiny.c" + std::to_string(started), 1, 0, "c", "E", "node7", 1}});
      ++started;
    } catch (const JournalError& error) {
      EXPECT_TRUE(error.disk_full());
      EXPECT_NE(std::string(error.what()).find(journal->writer()), std::string::npos)
          << error.what();
      full = true;
    }
  }
  ASSERT_TRUE(full);
  EXPECT_GT(started, 100);
  for (int i = 0; i < 100; ++i) {
    journal->append({event::Interrupted{"tiny.c" + std::to_string(i), 1, "disk", 1}});
  }
  journal->append({event::Paused{"disk"}});
  const std::string name = journal->writer();
  journal.reset();
  Fold fold;
  const JournalReading reading = read_journals(inside, {}, [&](Record&& one) { apply(fold, one); });
  EXPECT_FALSE(reading.damaged());
  EXPECT_EQ(reading.records, static_cast<std::size_t>(started) + 101);
  EXPECT_EQ(fold.paused, "disk");
}

TEST_F(JournalFiles, FullDiskAtTheBeginningIsAnError) {
  const SmallDisk disk(folder.path() / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small file system needs root";
  put(folder.path() / "disk" / "filler", std::string(252 * 1024, 'x'));
  try {
    Journal::create(folder.path() / "disk", clock);
    FAIL() << "a journal without its reserve";
  } catch (const JournalError& error) {
    EXPECT_TRUE(error.disk_full());
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path() / "disk"), fs::directory_iterator()),
            1);
}

TEST(JournalErrors, OnlySpaceMeansFull) {
  EXPECT_TRUE(JournalError("x", ENOSPC).disk_full());
  EXPECT_TRUE(JournalError("x", EDQUOT).disk_full());
  EXPECT_FALSE(JournalError("x", EIO).disk_full());
}

}  // namespace
}  // namespace campaign
