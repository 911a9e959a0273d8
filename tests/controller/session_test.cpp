// What a changed campaign file means for a session that exists (continue_plan, a table of changes),
// and whose results a results folder holds.
#include <gmock/gmock.h>

#include <fstream>

#include "controller/errors.hpp"
#include "controller/session_state.hpp"
#include "tests/support/controller/bench.hpp"

namespace controller::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char original[] = R"(name: k
gpus: none
axes: {a: [1, 2]}
runner: {image: probe, command: [work]}
execution: {cycles: 2, structure: interleaved}
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

class ContinuePlan : public ::testing::Test {
 protected:
  ContinuePlan() : bench_(original) {
    before_ = bench_.manifest();
    before_.document = bench_.payload().campaign->document;
    before_.file = bench_.payload().campaign->file;
  }
  // The same file with a part replaced.
  Continuation with(const std::string& from, const std::string& to) {
    std::ofstream(bench_.folder() / "campaign.yaml") << replaced(original, from, to);
    const campaign::Campaign now =
        campaign::load_campaign({.path = bench_.folder() / "campaign.yaml",
                                 .sets = {},
                                 .environment = bench_.context().environment,
                                 .document = {}});
    return continue_plan(now, before_, fold_);
  }
  void complete(const std::string& run) {
    tell(campaign::event::Claimed{.run = run, .attempt = 1, .container = "c"});
    tell(campaign::event::Starting{.run = run, .attempt = 1, .container_id = "id"});
    tell(campaign::event::Completed{.run = run, .attempt = 1});
  }
  void tell(campaign::Event what) {
    campaign::apply(fold_,
                    {.seq = ++seq_, .writer = "h-1-b-1", .boot = "b", .event = std::move(what)});
  }
  static std::vector<std::string> order(const Continuation& next) {
    std::vector<std::string> ids;
    for (const auto& run : next.plan.runs) ids.push_back(campaign::run_id(next.plan, run));
    return ids;
  }

  Bench bench_;
  campaign::Manifest before_;
  campaign::Fold fold_;
  std::int64_t seq_ = 0;
};

TEST_F(ContinuePlan, SameFileChangesNothing) {
  const Continuation next = with("name: k", "name: k");
  EXPECT_THAT(next.changes, IsEmpty());
  EXPECT_FALSE(next.needs_consent);
}

TEST_F(ContinuePlan, CommentsAndOrderAreNoChange) {
  EXPECT_THAT(with("gpus: none\n", "# a comment\ngpus: none\n").changes, IsEmpty());
}

TEST_F(ContinuePlan, MoreCyclesNeedNoConsent) {
  complete("a1.c01");
  const Continuation next = with("cycles: 2", "cycles: 3");
  ASSERT_EQ(next.changes.size(), 1u);
  EXPECT_EQ(next.changes[0].kind, campaign::PlanChange::Kind::added_cycles);
  EXPECT_FALSE(next.needs_consent);
  EXPECT_THAT(order(next), ElementsAre("a1.c01", "a2.c01", "a1.c02", "a2.c02", "a1.c03", "a2.c03"));
}

TEST_F(ContinuePlan, NewExperimentJoinsStartedCyclesAsAMarkedBlock) {
  complete("a1.c01");
  const Continuation next = with("[1, 2]", "[0, 1, 2]");
  EXPECT_FALSE(next.needs_consent);
  EXPECT_THAT(order(next), ElementsAre("a1.c01", "a2.c01", "a0.c01", "a0.c02", "a1.c02", "a2.c02"));
  EXPECT_GT(next.plan.runs[2].block, 0);
  EXPECT_EQ(next.plan.runs[3].block, 0);
}

TEST_F(ContinuePlan, RemovedExperimentNeedsConsent) {
  const Continuation next = with("[1, 2]", "[1]");
  EXPECT_TRUE(next.needs_consent);
  EXPECT_EQ(next.plan.runs.size(), 2u);
}

TEST_F(ContinuePlan, FewerCyclesNeedConsent) {
  const Continuation next = with("cycles: 2", "cycles: 1");
  EXPECT_TRUE(next.needs_consent);
  EXPECT_THAT(order(next), ElementsAre("a1.c01", "a2.c01"));
}

TEST_F(ContinuePlan, ChangedCommandRunsAgainWhatHasRun) {
  complete("a1.c01");
  const Continuation next = with("[work]", "[work, harder]");
  EXPECT_TRUE(next.needs_consent);
  EXPECT_THAT(next.changed_runs, ElementsAre("a1.c01"));
  EXPECT_THAT(order(next), ElementsAre("a1.c01", "a2.c01", "a1.c02", "a2.c02"));
}

TEST_F(ContinuePlan, ProtocolNeedsConsentAndRunsNothingAgain) {
  complete("a1.c01");
  for (const auto& [from, to] : {std::pair{"command: [work]", "command: [work], timeout: 5"},
                                 std::pair{"cycles: 2", "cycles: 2, config_gap_seconds: 3"},
                                 std::pair{"cycles: 2", "cycles: 2, workers: 2"},
                                 std::pair{"cycles: 2", "cycles: 2, retries: {payload: 1}"}}) {
    const Continuation next = with(from, to);
    EXPECT_TRUE(next.needs_consent) << to;
    EXPECT_THAT(next.changed_runs, IsEmpty()) << to;
    ASSERT_FALSE(next.changes.empty()) << to;
    EXPECT_EQ(next.changes[0].kind, campaign::PlanChange::Kind::protocol) << to;
  }
}

class OneMoment : public campaign::Clock {
 public:
  double utc() const override { return 1'763'685'600; }
  double boottime() const override { return 0; }
  std::int64_t monotonic_ns() const override { return 0; }
  std::string boot_id() const override { return "b"; }
};

class ForeignResults : public ::testing::Test {
 protected:
  ForeignResults() : bench_(original) {
    state_.manifest = bench_.manifest();
    state_.results = bench_.context().results;
  }
  void accepted(const campaign::RunRecord& record) {
    const fs::path raw = state_.results.raw(record.run);
    fs::create_directories(raw);
    std::ofstream(raw / "run.json") << campaign::write_run_record(record);
  }
  std::string hash_of(const std::string& experiment) const {
    for (const auto& one : state_.manifest.plan.experiments)
      if (one.name == experiment) return one.hash;
    return "";
  }
  // "" = taken.
  std::string refusal() const {
    try {
      refuse_foreign_results(state_);
    } catch (const CommandError& error) {
      EXPECT_EQ(error.code, ExitCode::environment);
      return error.what();
    }
    return "";
  }

  Bench bench_;
  OpenState state_;
};

TEST_F(ForeignResults, NewSessionTakesANameThatHasNone) {
  const OneMoment clock;
  SessionRequest request{.campaign = *bench_.payload().campaign};
  const OpenState first = open_state(request, clock);
  fs::create_directories(first.results.folder / "raw");
  request.campaign->io.state_dir = (bench_.folder() / "emptied").string();
  const OpenState second = open_state(request, clock);
  EXPECT_NE(second.results.folder, first.results.folder);
  EXPECT_EQ(second.manifest.session, second.results.folder.filename());
  EXPECT_FALSE(fs::exists(second.results.folder));
}

TEST_F(ForeignResults, AreRefusedByFolderAndUid) {
  accepted({.run = "a1.c01", .hash = hash_of("a1"), .uid = "feed", .state = "completed"});
  EXPECT_THAT(refusal(), AllOf(HasSubstr(state_.results.folder.string()), HasSubstr("raw/a1.c01"),
                               HasSubstr("uid feed"), HasSubstr("move that folder away")));
  EXPECT_TRUE(fs::exists(state_.results.raw("a1.c01") / "run.json"));
}

TEST_F(ForeignResults, OwnOnesAreNone) {
  accepted(
      {.run = "a1.c01", .hash = hash_of("a1"), .uid = state_.manifest.uid, .state = "completed"});
  EXPECT_EQ(refusal(), "");
  finish_superseding(state_);
  EXPECT_TRUE(fs::exists(state_.results.raw("a1.c01")));
}

TEST_F(ForeignResults, ResultOfAnotherConfigThatTheJournalLostIsNoneOfThisOne) {
  accepted({.run = "a1.c01",
            .hash = "another",
            .attempt = 2,
            .uid = state_.manifest.uid,
            .state = "completed"});
  finish_superseding(state_);
  EXPECT_FALSE(fs::exists(state_.results.raw("a1.c01")));
  EXPECT_TRUE(fs::exists(state_.results.superseded("a1.c01.a2")));
}

}  // namespace
}  // namespace controller::test
