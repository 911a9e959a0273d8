#include <sys/stat.h>

#include <stdexcept>

#include "campaign/results/acceptance.hpp"
#include "tests/campaign/results_fixture.hpp"

namespace campaign::testing {
namespace {

namespace fs = std::filesystem;

struct Killed {};

class Accept : public ResultsTest {
 protected:
  Accept() {
    request.processes = 2;
    payload("process_0.json", "{\"tps\":1}");
    payload("process_1.json", "{\"tps\":2}");
    payload("sub/more.txt", "more");
    control("config.yaml", "batch: 4\n");
    control("stdout.log", "out\n");
    control("stderr.log", "");
    control("outcome.json", "{}");
    write(folder.telemetry(attempt), "{}\n");
    control("telemetry.jsonl", "of the payload");
    collect.metrics.push_back({.name = "took",
                               .source = MetricSpec::Source::stage,
                               .where = "collect",
                               .unit = "",
                               .better = Direction::unspecified,
                               .primary = false});
    record.stages = {{"collect", 0.5}};
    record.valid = false;
    record.invalid_reason = "contaminated: throttled";
  }

  void expect_accepted() {
    const auto raw = folder.raw(run);
    EXPECT_EQ(text(raw / "process_0.json"), "{\"tps\":1}");
    EXPECT_EQ(text(raw / "sub/more.txt"), "more");
    EXPECT_EQ(text(raw / "config.yaml"), "batch: 4\n");
    EXPECT_EQ(text(raw / "stdout.log"), "out\n");
    EXPECT_TRUE(fs::exists(raw / "stderr.log"));
    EXPECT_EQ(text(raw / "telemetry.jsonl"), "{}\n");
    EXPECT_TRUE(fs::exists(raw / ".completed_0"));
    EXPECT_TRUE(fs::exists(raw / ".completed_1"));
    EXPECT_FALSE(fs::exists(folder.attempt(attempt)));
    EXPECT_TRUE(fs::is_empty(folder.folder / "accepting"));
    EXPECT_TRUE(fs::exists(folder.ctl(attempt) / "outcome.json"));
    const auto found = accepted_record(folder, run);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->attempt, 1);
    ASSERT_EQ(found->metrics.size(), 1U);
    EXPECT_EQ(found->metrics[0].name, "took");
  }

  // After a kill: what was decided stands, or everything is where it can be decided again.
  void expect_decided_or_untouched() const {
    if (const auto decided = decided_record(folder, run, 1)) {
      EXPECT_EQ(decided->state, record.state);
      EXPECT_EQ(decided->cls, record.cls);
      EXPECT_EQ(decided->message, record.message);
      EXPECT_EQ(decided->invalid_reason, record.invalid_reason);
      return;
    }
    EXPECT_EQ(text(folder.telemetry(attempt)), "{}\n");
    EXPECT_EQ(text(folder.ctl(attempt) / "stdout.log"), "out\n");
  }

  using Settle = void (*)(const CollectRequest&, const RunRecord&, const StepHook&);
  std::vector<std::string> steps_of(Settle settle) {
    std::vector<std::string> steps;
    settle(request, record, [&](const std::string& step) { steps.push_back(step); });
    return steps;
  }
  // Whether there is such a step.
  bool killed_at(int step, Settle settle) {
    try {
      settle(request, record, [&](const std::string&) {
        if (step-- == 0) throw Killed{};
      });
    } catch (const Killed&) {
      return true;
    }
    return false;
  }
};

TEST_F(Accept, MovesAWholeAttemptToRaw) {
  accept_attempt(request, record);
  expect_accepted();
}

TEST_F(Accept, MakesOursPrivate) {
  fs::permissions(folder.ctl(attempt) / "stdout.log", fs::perms(0644));
  accept_attempt(request, record);
  for (const char* name : {"run.json", "config.yaml", "stdout.log", "stderr.log", ".completed_0"}) {
    struct stat info{};
    ASSERT_EQ(::stat((folder.raw(run) / name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600U) << name;
  }
  struct stat info{};
  ASSERT_EQ(::stat((folder.folder / "raw").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

class AcceptKilled : public Accept, public ::testing::WithParamInterface<int> {};

TEST_P(AcceptKilled, AtAnyStepIsCompletedByTheNextTry) {
  ASSERT_TRUE(killed_at(GetParam(), accept_attempt));
  if (!accepted_record(folder, run)) {
    EXPECT_FALSE(fs::exists(folder.raw(run)));
    const auto verdict = verify();
    EXPECT_EQ(verdict.cls, FailureClass::none) << verdict.message;
    expect_decided_or_untouched();
  }
  accept_attempt(request, record);
  expect_accepted();
}

TEST_P(AcceptKilled, AtAnyStepMayBeKeptAsAFailureInstead) {
  killed_at(GetParam(), accept_attempt);
  if (fs::exists(folder.raw(run))) return expect_accepted();
  record.state = "interrupted";
  keep_failed_attempt(request, record);
  EXPECT_EQ(decided_record(folder, run, 1)->state, "interrupted");
  keep_failed_attempt(request, record);
  EXPECT_EQ(text(folder.attempt(attempt) / "stdout.log"), "out\n");
  EXPECT_EQ(read_run_record(text(folder.attempt(attempt) / "run.json")).state, "interrupted");
  EXPECT_TRUE(fs::is_empty(folder.folder / "accepting"));
  EXPECT_FALSE(fs::exists(folder.attempt(attempt) / "run.json.payload"));
}

TEST_F(Accept, HasTheStepsThatTheKillsGoThrough) {
  const std::vector<std::string> expected = {"staged",
                                             "made for run.json",
                                             "wrote run.json",
                                             "placed run.json",
                                             "moved config.yaml",
                                             "moved stdout.log",
                                             "moved stderr.log",
                                             "moved telemetry.jsonl",
                                             "synced",
                                             "made for .completed_0",
                                             "wrote .completed_0",
                                             "placed .completed_0",
                                             "made for .completed_1",
                                             "wrote .completed_1",
                                             "placed .completed_1",
                                             "renamed",
                                             "finished"};
  EXPECT_EQ(steps_of(accept_attempt), expected);
}

INSTANTIATE_TEST_SUITE_P(EachStep, AcceptKilled, ::testing::Range(0, 17));

class KeepKilled : public AcceptKilled {
 protected:
  KeepKilled() {
    record.state = "failed";
    record.cls = FailureClass::contaminated;
    record.message = "throttled";
  }
};

TEST_P(KeepKilled, AtAnyStepKeepsWhatWasDecided) {
  ASSERT_TRUE(killed_at(GetParam(), keep_failed_attempt));
  expect_decided_or_untouched();
  keep_failed_attempt(request, record);
  EXPECT_EQ(decided_record(folder, run, 1)->cls, FailureClass::contaminated);
  EXPECT_EQ(read_run_record(text(folder.attempt(attempt) / "run.json")).message, "throttled");
  EXPECT_EQ(text(folder.attempt(attempt) / "telemetry.jsonl"), "{}\n");
  EXPECT_FALSE(fs::exists(folder.attempt(attempt) / "config.yaml.payload"));
  forget_decision(folder, attempt);
  EXPECT_FALSE(decided_record(folder, run, 1));
  EXPECT_TRUE(fs::is_empty(folder.folder / "keeping"));
}

INSTANTIATE_TEST_SUITE_P(EachStep, KeepKilled, ::testing::Range(0, 11));

TEST_F(Accept, KeepingHasTheStepsThatTheKillsGoThrough) {
  const std::vector<std::string> expected = {"made for tiny.c01.a1.json",
                                             "wrote tiny.c01.a1.json",
                                             "placed tiny.c01.a1.json",
                                             "moved config.yaml",
                                             "moved stdout.log",
                                             "moved stderr.log",
                                             "moved telemetry.jsonl",
                                             "made for run.json",
                                             "wrote run.json",
                                             "placed run.json",
                                             "finished"};
  EXPECT_EQ(steps_of(keep_failed_attempt), expected);
}

TEST_F(Accept, RecordThatThePayloadLeftDecidesNothing) {
  record.state = "failed";
  payload("run.json", write_run_record(record));
  EXPECT_FALSE(decided_record(folder, run, 1));
}

TEST_F(Accept, TwiceIsAcceptedOnce) {
  accept_attempt(request, record);
  record.message = "a second opinion";
  accept_attempt(request, record);
  EXPECT_EQ(accepted_record(folder, run)->message, "");
}

TEST_F(Accept, NeverOverwritesAnotherAttempt) {
  accept_attempt(request, record);
  request.attempt = attempt_name(run, 2);
  record.attempt = 2;
  fs::create_directories(folder.attempt(request.attempt));
  EXPECT_THROW(accept_attempt(request, record), std::runtime_error);
  EXPECT_EQ(accepted_record(folder, run)->attempt, 1);
  EXPECT_TRUE(fs::exists(folder.attempt(request.attempt)));
}

TEST_F(Accept, NeverReplacesAFolderWithoutARecord) {
  fs::create_directories(folder.raw(run));
  write(folder.raw(run) / "mine.txt", "x");
  EXPECT_THROW(accept_attempt(request, record), std::runtime_error);
  EXPECT_EQ(text(folder.raw(run) / "mine.txt"), "x");
}

TEST_F(Accept, RefusesReservedNamesThatVerificationWouldHaveRefused) {
  payload("run.json", "{}");
  EXPECT_THROW(accept_attempt(request, record), std::runtime_error);
  EXPECT_TRUE(fs::exists(folder.attempt(attempt)));
}

TEST_F(Accept, RefusesAPayloadsMarkerThatDoesNotMatch) {
  payload(".completed_0", "{\"result_hash\":\"0000000000000000\"}");
  EXPECT_THROW(accept_attempt(request, record), std::runtime_error);
  EXPECT_FALSE(fs::exists(folder.raw(run)));
}

TEST_F(Accept, KeepsAPayloadsMarkerThatMatches) {
  request.processes = 1;
  payload("process_0.json", "{}");
  const std::string marker = "{\"result_hash\":\"44136fa355b3678a\",\"gpu_id\":0}";
  payload(".completed_0", marker);
  accept_attempt(request, record);
  EXPECT_EQ(text(folder.raw(run) / ".completed_0"), marker);
}

TEST_F(Accept, DoesNotTakeALinkForALog) {
  fs::remove(folder.ctl(attempt) / "stdout.log");
  fs::create_symlink("/etc/passwd", folder.ctl(attempt) / "stdout.log");
  accept_attempt(request, record);
  EXPECT_FALSE(fs::exists(fs::symlink_status(folder.raw(run) / "stdout.log")));
}

TEST_F(Accept, SaysWhatIsMissing) {
  fs::remove_all(folder.attempt(attempt));
  try {
    accept_attempt(request, record);
    FAIL() << "accepted nothing";
  } catch (const std::system_error& error) {
    EXPECT_NE(std::string(error.what()).find("tiny.c01.a1"), std::string::npos);
  }
}

TEST_F(Accept, AResultThatWasTouchedAfterwardsIsFound) {
  accept_attempt(request, record);
  write(folder.raw(run) / "process_1.json", "{\"tps\":3}");
  EXPECT_THROW(accepted_record(folder, run), std::runtime_error);
}

TEST_F(Accept, ATornRecordIsNoResult) {
  accept_attempt(request, record);
  const std::string whole = text(folder.raw(run) / "run.json");
  write(folder.raw(run) / "run.json", whole.substr(0, whole.size() / 2));
  EXPECT_FALSE(accepted_record(folder, run));
  EXPECT_FALSE(accepted_record(folder, "other.c01"));
}

TEST_F(Accept, KeptFailuresHaveTheirLogsAndRecord) {
  record.state = "failed";
  record.cls = FailureClass::payload;
  keep_failed_attempt(request, record);
  EXPECT_EQ(text(folder.attempt(attempt) / "stdout.log"), "out\n");
  EXPECT_EQ(read_run_record(text(folder.attempt(attempt) / "run.json")).cls, FailureClass::payload);
  record.message = "again";
  keep_failed_attempt(request, record);
  EXPECT_EQ(read_run_record(text(folder.attempt(attempt) / "run.json")).message, "again");
}

TEST_F(Accept, KeptFailuresSetAsideWhatThePayloadPutUnderOurNames) {
  payload("run.json", "mine");
  fs::create_symlink("/etc/passwd", folder.attempt(attempt) / "stdout.log");
  keep_failed_attempt(request, record);
  EXPECT_EQ(text(folder.attempt(attempt) / "run.json.payload"), "mine");
  EXPECT_TRUE(fs::is_symlink(folder.attempt(attempt) / "stdout.log.payload"));
  EXPECT_EQ(text(folder.attempt(attempt) / "stdout.log"), "out\n");
}

TEST_F(Accept, KeptFailuresDoNotWriteThroughALinkedFolder) {
  const auto elsewhere = folder.folder / "elsewhere";
  fs::create_directory(elsewhere);
  fs::remove_all(folder.attempt(attempt));
  fs::create_symlink(elsewhere, folder.attempt(attempt));
  keep_failed_attempt(request, record);
  EXPECT_TRUE(fs::is_empty(elsewhere));
  EXPECT_EQ(text(folder.attempt(attempt) / "stdout.log"), "out\n");
}

TEST_F(Accept, SupersedingMovesAResultOnce) {
  accept_attempt(request, record);
  EXPECT_THROW(supersede(folder, run, 2), std::runtime_error);
  supersede(folder, run, 1);
  supersede(folder, run, 1);
  EXPECT_FALSE(fs::exists(folder.raw(run)));
  EXPECT_EQ(text(folder.superseded(attempt) / "stdout.log"), "out\n");
  EXPECT_THROW(supersede(folder, "never.c01", 1), std::runtime_error);
}

TEST_F(Accept, TheLargestAttemptIsFoundInEveryFolder) {
  EXPECT_EQ(largest_attempt_on_disk(folder, "never.c01"), 0);
  EXPECT_EQ(largest_attempt_on_disk(folder, run), 1);
  fs::create_directories(folder.superseded(attempt_name(run, 4)));
  EXPECT_EQ(largest_attempt_on_disk(folder, run), 4);
  fs::create_directories(folder.ctl(attempt_name(run, 30)));
  EXPECT_EQ(largest_attempt_on_disk(folder, run), 30);
  fs::create_directories(folder.attempt(attempt_name(run + "0", 31)));
  EXPECT_EQ(largest_attempt_on_disk(folder, run), 30);
}

}  // namespace
}  // namespace campaign::testing
