#include <gtest/gtest.h>

#include <ctime>
#include <iostream>

#include "campaign/state/files.hpp"
#include "tests/support/campaign/state_support.hpp"

namespace campaign {
namespace {

using namespace campaign::testing;

const std::string a = "node7-11-0f1e2d3c-1";
const std::string b = "node7-12-0f1e2d3c-2";

// Applies events of writer `a` and gives the state of run "r.c01".
class OneWriter {
 public:
  OneWriter& then(Event event) {
    apply(fold, record(a, ++seq, std::move(event)));
    return *this;
  }
  OneWriter& then_all(const std::vector<Event>& events) {
    for (const Event& event : events) then(event);
    return *this;
  }
  const RunState& run() const { return fold.run("r.c01"); }
  RunPhase phase() const { return run().phase; }
  Fold fold;
  std::int64_t seq = 0;
};

event::Claimed claimed(int attempt = 1) {
  return {"r.c01", attempt, 0, "c", "ENGINE", "node7", attempt};
}
event::Starting starting(int attempt = 1) { return {"r.c01", attempt, "id", 0, 0, 50}; }
event::Completed completed(int attempt = 1) {
  return {"r.c01", attempt, 10, 60, 60, 50, {{"collect", 2}}, false};
}
event::Failed failed(int attempt = 1, bool final = true) {
  event::Failed made;
  made.run = "r.c01";
  made.attempt = attempt;
  made.exit_code = 3;
  made.message = "exit 3";
  made.final = final;
  return made;
}

TEST(Fold, NormalRunGoesThroughItsPhases) {
  OneWriter story;
  EXPECT_EQ(story.phase(), RunPhase::pending);
  EXPECT_EQ(story.then(claimed()).phase(), RunPhase::initialised);
  EXPECT_EQ(story.then(starting()).phase(), RunPhase::running);
  story.then(event::Exited{"r.c01", 1, 0, std::nullopt, false, "exited", 60});
  EXPECT_EQ(story.phase(), RunPhase::running);
  EXPECT_TRUE(story.run().exit_known);
  EXPECT_EQ(story.then(completed()).phase(), RunPhase::completed);
  EXPECT_TRUE(story.run().done());
  EXPECT_EQ(story.run().owner, a);
  EXPECT_EQ(story.run().container_id, "id");
  EXPECT_EQ(story.run().duration, 10);
  EXPECT_EQ(story.run().verification, 2);
  EXPECT_EQ(story.fold.last_finished_utc, 60);
  EXPECT_TRUE(story.fold.violations.empty());
}

TEST(Fold, ContaminatedAttemptsAreRerunsAndNoFailures) {
  OneWriter story;
  event::Failed contaminated = failed(1, false);
  contaminated.cls = FailureClass::contaminated;
  story.then(claimed()).then(starting()).then(contaminated);
  story.then(claimed(2)).then(starting(2)).then(failed(2, false));
  EXPECT_EQ(story.run().reruns, 1);
  EXPECT_EQ(story.run().failures, 1);
}

TEST(Fold, FailureWithAttemptsLeftIsNotDone) {
  OneWriter story;
  story.then(claimed()).then(starting()).then(failed(1, false));
  EXPECT_FALSE(story.run().done());
  EXPECT_EQ(story.run().failures, 1);
  story.then(claimed(2)).then(starting(2)).then(failed(2, true));
  EXPECT_TRUE(story.run().done());
  EXPECT_EQ(story.run().failures, 2);
  EXPECT_EQ(story.run().attempt, 2);
  EXPECT_TRUE(story.fold.violations.empty());
}

TEST(Fold, ReleasedRunIsPendingAndItsAttemptIsNotUsed) {
  OneWriter story;
  story.then(claimed()).then(event::Released{"r.c01", 1});
  EXPECT_EQ(story.phase(), RunPhase::pending);
  EXPECT_EQ(story.run().attempt, 0);
  story.then(claimed());
  EXPECT_EQ(story.phase(), RunPhase::initialised);
  EXPECT_TRUE(story.fold.violations.empty());
}

TEST(Fold, RerunMakesACompletedRunPendingAndMarksIt) {
  OneWriter story;
  story.then(claimed()).then(starting()).then(completed());
  story.then(event::Reopened{"r.c01", "--rerun"}).then(event::Superseded{"r.c01", 1});
  EXPECT_EQ(story.phase(), RunPhase::pending);
  EXPECT_EQ(story.run().attempt, 1);
  EXPECT_TRUE(story.run().repeated);
  story.then(claimed(2)).then(starting(2)).then(completed(2));
  EXPECT_EQ(story.phase(), RunPhase::completed);
  EXPECT_TRUE(story.run().repeated);
  EXPECT_TRUE(story.fold.violations.empty());
}

TEST(Fold, SkippedRunComesBackByRetry) {
  OneWriter story;
  story.then(event::Skipped{"r.c01", "repeat_failure"});
  EXPECT_TRUE(story.run().done());
  EXPECT_EQ(story.run().message, "repeat_failure");
  story.then(event::Reopened{"r.c01", "--retry"});
  EXPECT_EQ(story.phase(), RunPhase::pending);
  EXPECT_TRUE(story.fold.violations.empty());
}

TEST(Fold, TransitionsThatTheDesignDoesNotAllowAreNotedAndLeaveTheRun) {
  const std::vector<Event> done = {claimed(), starting(), completed()};
  const std::vector<std::pair<std::vector<Event>, Event>> cases = {
      {done, starting()},
      {done, claimed()},
      {done, event::Exited{"r.c01", 1, 0, std::nullopt, false, "exited", 60}},
      {done, failed()},
      {done, event::Interrupted{"r.c01", 1, "lost", 70}},
      {done, event::Skipped{"r.c01", "config"}},
      {done, event::Released{"r.c01", 1}},
      {done, event::Adopted{"r.c01", 1, "", 0, "id"}},
      {{claimed(), starting()}, event::Released{"r.c01", 1}},
      {{claimed(), starting()}, event::Skipped{"r.c01", "config"}},
  };
  for (const auto& [before, event] : cases) {
    OneWriter story;
    const RunPhase phase = story.then_all(before).phase();
    ASSERT_TRUE(story.fold.violations.empty());
    story.then(event);
    EXPECT_EQ(story.phase(), phase) << event_name(event);
    ASSERT_EQ(story.fold.violations.size(), 1u) << event_name(event);
    EXPECT_TRUE(story.fold.violations[0].starts_with("r.c01")) << story.fold.violations[0];
  }
}

TEST(Fold, StartWithoutAClaimIsNotedAndStillKnown) {
  OneWriter story;
  story.then(starting());
  EXPECT_EQ(story.phase(), RunPhase::running);
  EXPECT_EQ(story.fold.violations,
            std::vector<std::string>{"r.c01 attempt 1: goes on without a claim"});
}

TEST(Fold, CompletionBeatsAnInterruptionOfTheSameAttempt) {
  OneWriter story;
  story.then(claimed())
      .then(starting())
      .then(event::Interrupted{"r.c01", 1, "lost", 70})
      .then(completed());
  EXPECT_EQ(story.phase(), RunPhase::completed);
  EXPECT_EQ(story.run().interruptions, 1);
  EXPECT_TRUE(story.fold.violations.empty());
}

TEST(Fold, RecordThatWasAppliedIsIgnored) {
  OneWriter story;
  story.then(claimed()).then(failed(1, false));
  const std::string before = text_of(story.fold);
  apply(story.fold, record(a, 2, failed(1, false)));
  EXPECT_EQ(text_of(story.fold), before);
}

TEST(Fold, AdoptionHandsTheRunOver) {
  Fold fold;
  apply(fold, record(a, 1, claimed()));
  apply(fold, record(a, 2, starting()));
  apply(fold, record(b, 1, event::Adopted{"r.c01", 1, a, 2, "id"}));
  EXPECT_EQ(fold.run("r.c01").owner, b);
  EXPECT_TRUE(fold.run("r.c01").resumed);
  EXPECT_EQ(fold.run("r.c01").phase, RunPhase::running);
}

TEST(Fold, OutcomesBeginAnewAfterAPause) {
  OneWriter story;
  story.then(claimed()).then(starting()).then(failed(1, false));
  ASSERT_EQ(story.fold.outcomes.size(), 1u);
  EXPECT_EQ(story.fold.outcomes[0].second, FailureClass::payload);
  story.then(event::Paused{"max_failures"});
  EXPECT_TRUE(story.fold.outcomes.empty());
  EXPECT_EQ(story.fold.paused, "max_failures");
  story.then(event::ControllerStarted{"node7", 1, "ENGINE", "0.1"});
  EXPECT_EQ(story.fold.paused, "");
  story.then(claimed(2)).then(starting(2)).then(completed(2));
  ASSERT_EQ(story.fold.outcomes.size(), 1u);
  EXPECT_EQ(story.fold.outcomes[0], std::pair(std::string("r.c01"), FailureClass::none));
}

TEST(Fold, OnlyTheNewestThousandOutcomesStay) {
  OneWriter story;
  for (int i = 1; i <= 1200; ++i) story.then(claimed(i)).then(starting(i)).then(failed(i, false));
  EXPECT_EQ(story.fold.outcomes.size(), 1000u);
  EXPECT_EQ(story.run().failures, 1200);
}

TEST(Fold, PilotsStayOutOfRunsAndOutcomes) {
  OneWriter story;
  story.then(event::Claimed{"r.p", 1, 0, "c", "ENGINE", "node7", 0});
  story.then(event::Starting{"r.p", 1, "id", 0, 0, 50});
  story.then(event::PilotDone{"r", 1, true, 4, ""});
  EXPECT_TRUE(story.fold.runs.empty());
  EXPECT_TRUE(story.fold.outcomes.empty());
  EXPECT_EQ(story.fold.pilots.at("r.p").phase, RunPhase::completed);
  EXPECT_EQ(story.fold.run("r.p").duration, 4);
}

TEST(Fold, GapLastsUntilItsRunStarts) {
  OneWriter story;
  story.then(claimed()).then(event::GapStarted{"r.c01", 1, {5, "boot", 100, 30}, "config gap"});
  ASSERT_TRUE(story.fold.gap);
  EXPECT_EQ(story.fold.gap->utc, 100);
  EXPECT_EQ(story.fold.gap_run, "r.c01");
  story.then(starting());
  EXPECT_FALSE(story.fold.gap);
}

TEST(Fold, SessionEventsAreKept) {
  OneWriter story;
  story.then(event::SessionStarted{"00ff", "s", "demo", "ENGINE"});
  story.then(event::CycleEntered{2}).then(event::PlanRevised{3, "until", {}});
  story.then(event::ImageResolved{"alpine", "sha256:1", "sha256:2"});
  story.then(event::CleanupOwed{{"rm", "x"}});
  EXPECT_EQ(story.fold.uid, "00ff");
  EXPECT_EQ(story.fold.cycle_entered, 2);
  EXPECT_EQ(story.fold.revision, 3);
  EXPECT_EQ(story.fold.images.at("alpine").identity, "sha256:2");
  ASSERT_TRUE(story.fold.cleanup_owed);
  story.then(event::CleanupDone{0}).then(event::Drained{"stop"}).then(event::Finished{1});
  EXPECT_FALSE(story.fold.cleanup_owed);
  EXPECT_EQ(story.fold.drained, "stop");
  EXPECT_EQ(story.fold.finished, 1);
  EXPECT_GT(story.fold.ended_utc, 0);
  story.then(event::Reopened{"r.c01", "--rerun"});
  EXPECT_FALSE(story.fold.finished);
}

TEST(Fold, EveryPrefixOfALegalHistoryIsLegal) {
  std::mt19937 random(20261121);
  for (int i = 0; i < 100; ++i) {
    Fold fold;
    for (const Record& one : one_after_another(random_history(random))) {
      apply(fold, one);
      ASSERT_TRUE(fold.violations.empty()) << fold.violations[0] << " after " << encode_record(one);
    }
  }
}

TEST(Fold, IsTheSameHoweverWritersAreInterleaved) {
  std::mt19937 random(4711);
  for (int i = 0; i < 400; ++i) {
    const History history = random_history(random);
    const std::string expected = text_of(fold_of(one_after_another(history)));
    for (int j = 0; j < 5; ++j) {
      ASSERT_EQ(text_of(fold_of(interleaved(history, random))), expected) << "history " << i;
    }
    History backwards(history.rbegin(), history.rend());
    ASSERT_EQ(text_of(fold_of(one_after_another(backwards))), expected) << "history " << i;
  }
}

TEST(Snapshot, WithTheRestGivesTheWholeFold) {
  std::mt19937 random(99);
  for (int i = 0; i < 50; ++i) {
    const std::vector<Record> records = interleaved(random_history(random), random);
    const std::string expected = text_of(fold_of(records));
    for (std::size_t cut = 0; cut <= records.size(); cut += 7) {
      Fold fold = fold_of({records.begin(), records.begin() + static_cast<std::ptrdiff_t>(cut)});
      auto snapshot = read_snapshot(write_snapshot({fold, {{"w", 17}}}));
      ASSERT_TRUE(snapshot);
      EXPECT_EQ(snapshot->offsets.at("w"), 17);
      for (const Record& one : records) apply(snapshot->fold, one);
      ASSERT_EQ(text_of(snapshot->fold), expected);
    }
  }
}

TEST(Snapshot, KeepsEverythingOfAnOddFold) {
  OneWriter story;
  story.then_all(one_of_each_event());
  story.then(event::CleanupOwed{{"sh", "-c", "x\ny"}});
  story.then(event::GapStarted{"q.c01", 1, {5, "boot", 100, 30}, "config gap"});
  const auto back = read_snapshot(text_of(story.fold));
  ASSERT_TRUE(back);
  EXPECT_EQ(text_of(back->fold), text_of(story.fold));
  EXPECT_EQ(back->fold.gap_run, "q.c01");
  EXPECT_EQ(back->fold.cleanup_owed, story.fold.cleanup_owed);
}

TEST(Snapshot, IsWholeOrIgnored) {
  OneWriter story;
  story.then_all(normal_run("r.c01", 1));
  const std::string text = text_of(story.fold);
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    EXPECT_FALSE(read_snapshot(text.substr(0, size))) << size;
  }
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    std::string bad = text;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    EXPECT_FALSE(read_snapshot(bad)) << i;
  }
}

TEST(Snapshot, OfAHundredThousandRunsIsQuick) {
  OneWriter story;
  for (int i = 1; i <= 100'000; ++i)
    story.then_all(normal_run("experiment-b16.c" + std::to_string(i), 1));
  const auto begin = std::clock();
  const std::string text = text_of(story.fold);
  const auto written = std::clock();
  const auto back = read_snapshot(text);
  const auto read = std::clock();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->fold.runs.size(), 100'000u);
  const double write_time = static_cast<double>(written - begin) / CLOCKS_PER_SEC;
  const double read_time = static_cast<double>(read - written) / CLOCKS_PER_SEC;
  std::cout << text.size() << " bytes; CPU time: write " << write_time << " s, read " << read_time
            << " s\n";
  EXPECT_LT(write_time, 15);
  EXPECT_LT(read_time, 15);
}

}  // namespace
}  // namespace campaign
