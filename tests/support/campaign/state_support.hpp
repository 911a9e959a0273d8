// What the tests of campaign/state share: a folder that goes away, a clock that ticks by hand, and
// histories as real controllers would write them.
#pragma once

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "campaign/state/journal.hpp"
#include "campaign/state/session_state.hpp"

namespace campaign::testing {

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class ManualClock : public Clock {
 public:
  double utc() const override { return utc_ += 0.25; }
  double boottime() const override { return utc_ - 1'700'000'000; }
  std::int64_t monotonic_ns() const override { return static_cast<std::int64_t>(boottime() * 1e9); }
  std::string boot_id() const override { return "0f1e2d3c-1111-2222-3333-444455556666"; }

 private:
  mutable double utc_ = 1'763'685'600;
};

std::vector<Event> one_of_each_event();
// The records of a run that is claimed, waits, starts, exits and completes.
std::vector<Event> normal_run(const std::string& run, int attempt);

// A record of `writer`; `t` grows with seq.
Record record(const std::string& writer, std::int64_t seq, Event event);

// What several controllers wrote, each in its order: they die, adopt, drain, retry, skip and run
// again.
using History = std::vector<std::vector<Record>>;
History random_history(std::mt19937& random);
// The same records in an order in which each writer's own order is kept.
std::vector<Record> interleaved(const History& history, std::mt19937& random);
std::vector<Record> one_after_another(const History& history);

Fold fold_of(const std::vector<Record>& records);
std::string text_of(const Fold& fold);  // every member, comparable

}  // namespace campaign::testing
