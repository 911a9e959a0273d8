// Runs through the sequencer on a scripted engine: outcomes, an engine that goes away, and a fault
// at every single call.
#include <gtest/gtest.h>
#include <fstream>

#include "controller/recovery.hpp"
#include "tests/support/controller/bench.hpp"
#include "tests/support/controller/fake_engine.hpp"

namespace controller::test {
namespace {

using campaign::FailureClass;
using campaign::RunPhase;

constexpr char one_run[] = R"(name: k
gpus: none
io: {min_free: 0}
experiments: [{name: one}]
execution: {cycles: 1, retries: {infra: 2, backoff_seconds: 0}}
runner: {image: probe, command: [work], stop_grace_period: 0.05, timeout: 0.2}
)";

struct Case {
  const char* script;
  RunPhase phase;
  FailureClass cls;
  int attempts;
};

class Scripted : public ::testing::TestWithParam<Case> {};

TEST_P(Scripted, OutcomeIsClassifiedAndNothingIsLeft) {
  Bench bench(one_run);
  FakeEngine engine;
  engine.script = GetParam().script;
  bench.use(engine);
  const SequenceEnd end = bench.run();
  EXPECT_FALSE(end.fatal);
  const campaign::RunState& state = bench.state("one.c01");
  EXPECT_EQ(state.phase, GetParam().phase) << state.message;
  EXPECT_EQ(state.cls, GetParam().cls) << state.message;
  EXPECT_EQ(state.attempt, GetParam().attempts);
  EXPECT_TRUE(engine.containers.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Engine, Scripted,
    ::testing::Values(Case{"exit-0", RunPhase::completed, FailureClass::none, 1},
                      Case{"exit-3", RunPhase::failed, FailureClass::payload, 1},
                      Case{"exit-127", RunPhase::failed, FailureClass::config, 1},
                      Case{"oom", RunPhase::failed, FailureClass::oom, 1},
                      Case{"hang", RunPhase::failed, FailureClass::timeout, 1},
                      Case{"deaf", RunPhase::failed, FailureClass::timeout, 1},
                      Case{"cut-wait", RunPhase::failed, FailureClass::timeout, 1},
                      Case{"gone", RunPhase::failed, FailureClass::infra, 3},
                      Case{"start-fails-127", RunPhase::failed, FailureClass::config, 1},
                      Case{"start-fails-128", RunPhase::failed, FailureClass::infra, 3}));

TEST(BindSources, OneThatIsNotThereIsAMistakeInTheFileAndIsNotMade) {
  std::string text = one_run;
  text.insert(text.find("command:"), "volumes: [\"./nosuch:/x\"], ");
  Bench bench(text);
  FakeEngine engine;
  bench.use(engine);
  EXPECT_FALSE(bench.run().fatal);
  const campaign::RunState& state = bench.state("one.c01");
  const std::string path = (bench.folder() / "nosuch").string();
  EXPECT_EQ(state.cls, FailureClass::config) << state.message;
  EXPECT_EQ(state.attempt, 1);
  EXPECT_NE(state.message.find(path), std::string::npos) << state.message;
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(engine.containers.empty());
}

// It kills a run as it goes, and takes
// connections again once it has been waited for.
TEST(EngineAway, EngineThatTakesARunWithItIsWaitedForBeforeTheNextStarts) {
  for (const auto& [script, asked_first] : {std::pair{"exit-143", true}, {"exit-3", false}}) {
    Bench bench(one_run);
    FakeEngine engine;
    engine.script = script;
    bench.use(engine);
    std::vector<std::string> said;
    bench.context().ask_engine_anew = [&]() -> Task<> {
      said.push_back("asked");
      if (said.size() == 1) throw EngineAway("refused");
      co_return;
    };
    bench.context().engine_is_back = [&]() -> Task<bool> {
      said.push_back("waited");
      engine.script = "exit-0";
      co_return true;
    };
    EXPECT_FALSE(bench.run().fatal);
    const campaign::RunState& state = bench.state("one.c01");
    if (asked_first) {
      EXPECT_EQ(said, (std::vector<std::string>{"asked", "waited", "asked"}));
      EXPECT_EQ(state.phase, RunPhase::completed) << state.message;
      EXPECT_EQ(state.attempt, 2);
    } else {
      EXPECT_TRUE(said.empty());
      EXPECT_EQ(state.cls, FailureClass::payload);
    }
  }
}

TEST(EngineAway, UnreachableCallsUseUpNoAttempt) {
  for (const int calls : {1, 2, 3, 5}) {
    Bench bench(one_run);
    FakeEngine engine;
    engine.unreachable_calls = calls;
    bench.use(engine);
    bench.run();
    EXPECT_EQ(bench.state("one.c01").phase, RunPhase::completed) << calls;
    EXPECT_EQ(bench.state("one.c01").attempt, 1) << calls;
    EXPECT_TRUE(engine.containers.empty()) << calls;
  }
}

TEST(EngineAway, GivingUpEndsTheSessionAndKeepsTheRun) {
  Bench bench(one_run);
  FakeEngine engine;
  engine.unreachable_calls = 1000;
  bench.use(engine);
  bench.context().engine_is_back = []() -> Task<bool> { co_return false; };
  const SequenceEnd end = bench.run();
  ASSERT_TRUE(end.fatal);
  EXPECT_THROW(std::rethrow_exception(end.fatal), EngineAway);
  EXPECT_FALSE(bench.state("one.c01").done());
}

// What a session does at its end (recovery.hpp: sweep).
void sweep_up(Bench& bench, FakeEngine& engine) {
  bench.loop().run(sweep(engine, bench.manifest().uid));
}

struct Struck {
  bool faulted = false;
  RunPhase phase = RunPhase::pending;
  FailureClass cls = FailureClass::none;
  std::size_t left = 0;
};

Struck strike(const std::string& script, FlakyEngine::Fault fault, int nth) {
  Bench bench(one_run);
  FakeEngine engine;
  engine.script = script;
  FlakyEngine flaky(engine, fault, nth);
  bench.use(flaky);
  bench.run();
  sweep_up(bench, engine);
  const campaign::RunState& state = bench.state("one.c01");
  return {.faulted = flaky.struck(),
          .phase = state.phase,
          .cls = state.cls,
          .left = engine.containers.size()};
}

class Flaky : public ::testing::TestWithParam<FlakyEngine::Fault> {};

TEST_P(Flaky, SuccessStaysASuccessWhicheverCallFails) {
  for (int nth = 1;; ++nth) {
    const Struck struck = strike("exit-0", GetParam(), nth);
    EXPECT_EQ(struck.phase, RunPhase::completed) << "call " << nth;
    EXPECT_EQ(struck.left, 0u) << "call " << nth;
    if (!struck.faulted) break;
    ASSERT_LT(nth, 50);
  }
}

TEST_P(Flaky, FailureNeverBecomesASuccess) {
  for (int nth = 1;; ++nth) {
    const Struck struck = strike("exit-3", GetParam(), nth);
    EXPECT_EQ(struck.phase, RunPhase::failed) << "call " << nth;
    EXPECT_EQ(struck.cls, FailureClass::payload) << "call " << nth;
    EXPECT_EQ(struck.left, 0u) << "call " << nth;
    if (!struck.faulted) break;
    ASSERT_LT(nth, 50);
  }
}

TEST_P(Flaky, TimeoutIsVerifiedWhicheverCallFails) {
  for (int nth = 1;; ++nth) {
    const Struck struck = strike("deaf", GetParam(), nth);
    EXPECT_EQ(struck.phase, RunPhase::failed) << "call " << nth;
    EXPECT_EQ(struck.cls, FailureClass::timeout) << "call " << nth;
    EXPECT_EQ(struck.left, 0u) << "call " << nth;
    if (!struck.faulted) break;
    ASSERT_LT(nth, 100);
  }
}

INSTANTIATE_TEST_SUITE_P(Engine, Flaky,
                         ::testing::Values(FlakyEngine::Fault::refused,
                                           FlakyEngine::Fault::unreachable,
                                           FlakyEngine::Fault::answer_lost));

TEST(DockerRunner, CutWaitOfAContainerThatRunsIsNoEnd) {
  Bench bench(one_run);
  FakeEngine engine;
  engine.script = "cut-wait";
  bench.use(engine);
  const AttemptPtr attempt = bench.attempt();
  bench.loop().run(bench.docker().prepare(*attempt));
  bench.loop().run(bench.docker().start(*attempt));
  attempt->exit_seen = true;
  EXPECT_FALSE(bench.loop().run(bench.docker().ended(*attempt)));
  engine.finish(attempt->container_id, 0);
  EXPECT_TRUE(bench.loop().run(bench.docker().ended(*attempt)));
  EXPECT_EQ(attempt->ending.exit_code, 0);
  bench.loop().run(bench.docker().remove(*attempt));
  EXPECT_TRUE(engine.containers.empty());
}

TEST(DockerRunner, EventOfTheEngineTellsLikeTheWait) {
  Bench bench(one_run);
  FakeEngine engine;
  engine.script = "hang";
  bench.use(engine);
  const AttemptPtr attempt = bench.attempt();
  bench.loop().run(bench.docker().prepare(*attempt));
  bench.loop().run(bench.docker().start(*attempt));
  bench.docker().tell({.action = "die", .id = "another"});
  bench.docker().tell({.action = "start", .id = attempt->container_id});
  EXPECT_FALSE(attempt->exit_seen);
  bench.docker().tell({.action = "die", .id = attempt->container_id});
  EXPECT_TRUE(attempt->exit_seen);
  bench.loop().run(bench.docker().remove(*attempt));
}

// The fake's container goes on running, so that an end can only be known from what was told.
class ToldEnd : public ::testing::Test {
 protected:
  ToldEnd() {
    engine_.script = "hang";
    bench_.use(engine_);
    attempt_ = bench_.attempt();
    bench_.loop().run(bench_.docker().prepare(*attempt_));
    bench_.loop().run(bench_.docker().start(*attempt_));
  }
  ~ToldEnd() override { bench_.loop().run(bench_.docker().remove(*attempt_)); }

  void tell(const std::string& action, std::map<std::string, std::string> attributes = {}) {
    bench_.docker().tell(
        {.action = action, .id = attempt_->container_id, .attributes = std::move(attributes)});
  }
  void leave_outcome(int code) {
    std::ofstream(attempt_->paths.ctl / "outcome.json")
        << R"({"v":1,"run":"x.c01.a1","exit_code":)" << code
        << R"(,"signal":null,"exec_error":null,"start_mono_ns":1,"end_mono_ns":2,)"
        << R"("start_boottime":1,"end_boottime":2,"start_utc":100,"end_utc":200,"boot":"b"})";
  }
  bool ended() { return bench_.loop().run(bench_.docker().ended(*attempt_)); }

  Bench bench_{one_run};
  FakeEngine engine_;
  AttemptPtr attempt_;
};

TEST_F(ToldEnd, NeedsNoInspectWhereEventsAndLauncherAgreeOnZero) {
  tell("start");
  tell("oom");
  leave_outcome(0);
  EXPECT_FALSE(ended()) << "nothing has told of an end yet";
  tell("die", {{"exitCode", "0"}});
  ASSERT_TRUE(ended());
  EXPECT_TRUE(attempt_->ending.known);
  EXPECT_EQ(attempt_->ending.exit_code, 0);
  EXPECT_TRUE(attempt_->ending.oom_killed);
  EXPECT_EQ(attempt_->ending.started_utc, 100);
  EXPECT_EQ(attempt_->ending.finished_utc, 200);
}

TEST_F(ToldEnd, IsInspectedWhereTheLauncherLeftNoOutcome) {
  tell("start");
  tell("die", {{"exitCode", "0"}});
  EXPECT_FALSE(ended());
}

TEST_F(ToldEnd, IsInspectedWhereACodeIsNotZero) {
  tell("start");
  leave_outcome(3);
  tell("die", {{"exitCode", "0"}});
  EXPECT_FALSE(ended());
  leave_outcome(0);
  tell("die", {{"exitCode", "137"}});
  EXPECT_FALSE(ended());
}

TEST_F(ToldEnd, IsInspectedWhereItsStartWasNotSeen) {
  leave_outcome(0);
  tell("die", {{"exitCode", "0"}});
  EXPECT_FALSE(ended());
}

TEST(DockerRunner, ContainerOfThisAttemptIsTakenOverAndAForeignOneRefused) {
  Bench bench(one_run);
  FakeEngine engine;
  bench.use(engine);
  const AttemptPtr attempt = bench.attempt();
  bench.loop().run(bench.docker().prepare(*attempt));
  const std::string id = attempt->container_id;
  bench.loop().run(bench.docker().prepare(*attempt));
  EXPECT_EQ(attempt->container_id, id);
  engine.containers.at(id).state.labels.clear();
  EXPECT_THROW(bench.loop().run(bench.docker().prepare(*attempt)), container::EngineError);
}

}  // namespace
}  // namespace controller::test
