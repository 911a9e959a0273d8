// One container from create to removal, on a scripted engine.
#include <gtest/gtest.h>

#include <algorithm>

#include "container/ephemeral.hpp"
#include "tests/support/container/loop.hpp"
#include "tests/support/controller/fake_engine.hpp"

namespace controller::test {
namespace {

using namespace container;
using Kind = Ending::Kind;

class Ephemeral : public ::testing::Test {
 protected:
  std::string create() {
    spec_.name = "c";
    spec_.labels = {{"owner", "us"}};
    return loop_.run(engine_.create(spec_));
  }
  OnExit told() {
    return [this] { ++told_; };
  }
  Ending stopped(const std::string& id, const StopLimits& limits) {
    return loop_.run(stop_verified(engine_, id, limits));
  }
  // Until the witness has told, or the loop has nothing left to do.
  void settle() {
    loop_.io().restart();
    loop_.io().poll();
  }

  container::test::Loop loop_;
  FakeEngine engine_;
  ContainerSpec spec_;
  int told_ = 0;
};

bool ours(const std::map<std::string, std::string>& labels) {
  return labels.contains("owner") && labels.at("owner") == "us";
}

TEST_F(Ephemeral, NameConflictWithOursIsTakenOver) {
  const std::string id = create();
  EXPECT_EQ(loop_.run(create_fenced(engine_, spec_, ours)), id);
  EXPECT_EQ(engine_.containers.size(), 1u);
}

TEST_F(Ephemeral, NameConflictWithAForeignOneIsRefusedByName) {
  spec_.labels = {};
  spec_.name = "c";
  loop_.run(engine_.create(spec_));
  try {
    loop_.run(create_fenced(engine_, spec_, ours));
    FAIL() << "a foreign container was taken over";
  } catch (const EngineError& error) {
    EXPECT_TRUE(error.conflict());
    EXPECT_NE(std::string(error.what()).find("a container named c is there and is not ours"),
              std::string::npos);
  }
}

TEST_F(Ephemeral, StartLeavesAWitnessThatTellsOnce) {
  engine_.script = "hang";
  const std::string id = create();
  const Started started = loop_.run(start_watched(engine_, id, told()));
  ASSERT_TRUE(started.witness);
  settle();
  EXPECT_EQ(told_, 0);
  engine_.finish(id, 3);
  settle();
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(loop_.run(look(engine_, id)).exit_code, 3);
}

TEST_F(Ephemeral, WitnessThatIsGoneTellsNothing) {
  engine_.script = "hang";
  const std::string id = create();
  loop_.run(start_watched(engine_, id, told())).witness.reset();
  engine_.finish(id, 0);
  settle();
  EXPECT_EQ(told_, 0);
}

TEST_F(Ephemeral, WaitIsOpenBeforeTheStart) {
  const std::string id = create();
  const Started started = loop_.run(start_watched(engine_, id, told()));
  EXPECT_EQ(engine_.calls, (std::vector<std::string>{"create c", "wait " + id, "start " + id}));
  settle();
  EXPECT_EQ(told_, 1);
}

TEST_F(Ephemeral, FailedStartIsAValueWithTheEnginesCode) {
  engine_.script = "start-fails-127";
  const Started started = loop_.run(start_watched(engine_, create(), told()));
  EXPECT_FALSE(started.witness);
  EXPECT_EQ(started.ending.kind, Kind::start_failed);
  EXPECT_EQ(started.ending.exit_code, 127);
  EXPECT_EQ(started.ending.error, "the runtime says no");
}

TEST_F(Ephemeral, CutWaitTellsAndInspectSaysThatItRuns) {
  engine_.script = "cut-wait";
  const std::string id = create();
  const Started started = loop_.run(start_watched(engine_, id, told()));
  settle();
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(loop_.run(look(engine_, id)).kind, Kind::running);
}

TEST_F(Ephemeral, UnreachableEngineIsThrown) {
  const std::string id = create();
  engine_.unreachable_calls = 1;
  EXPECT_THROW(loop_.run(start_watched(engine_, id, told())), EngineError);
  engine_.unreachable_calls = 1;
  EXPECT_THROW(loop_.run(look(engine_, id)), EngineError);
}

Started adopted(container::test::Loop& loop, FakeEngine& engine, const std::string& id) {
  return loop.run(adopt_watched(engine, id, [] {}));
}

TEST_F(Ephemeral, RunningOneIsAdopted) {
  engine_.script = "hang";
  const std::string id = create();
  loop_.run(engine_.start(id));
  const Started started = adopted(loop_, engine_, id);
  EXPECT_TRUE(started.witness);
  EXPECT_NEAR(started.ending.started_utc, 1795219200.5, 1e-6);
}

TEST_F(Ephemeral, CreatedOneIsStartedAndOnlyThenWaitedFor) {
  engine_.script = "hang";
  const std::string id = create();
  EXPECT_TRUE(adopted(loop_, engine_, id).witness);
  const auto start = std::ranges::find(engine_.calls, "start " + id),
             wait = std::ranges::find(engine_.calls, "wait " + id);
  EXPECT_LT(start, wait);
}

TEST_F(Ephemeral, CreatedOneThatEndsAtOnceIsCollected) {
  engine_.script = "exit-3";
  const Started started = adopted(loop_, engine_, create());
  EXPECT_FALSE(started.witness);
  EXPECT_EQ(started.ending.kind, Kind::exited);
  EXPECT_EQ(started.ending.exit_code, 3);
}

TEST_F(Ephemeral, CreatedOneThatCannotBeStartedSaysSo) {
  engine_.script = "start-fails-126";
  const Started started = adopted(loop_, engine_, create());
  EXPECT_EQ(started.ending.kind, Kind::start_failed);
  EXPECT_EQ(started.ending.exit_code, 126);
}

TEST_F(Ephemeral, PausedOneIsUnpaused) {
  engine_.script = "hang";
  const std::string id = create();
  loop_.run(engine_.start(id));
  engine_.containers[id].state.status = ContainerStatus::paused;
  EXPECT_TRUE(adopted(loop_, engine_, id).witness);
  EXPECT_EQ(engine_.count("unpause"), 1);
}

TEST_F(Ephemeral, ExitedAndGoneOnesAreToldAsTheyAre) {
  const std::string id = create();
  loop_.run(engine_.start(id));
  EXPECT_EQ(adopted(loop_, engine_, id).ending.kind, Kind::exited);
  loop_.run(engine_.remove(id, false));
  EXPECT_EQ(adopted(loop_, engine_, id).ending.kind, Kind::gone);
}

TEST_F(Ephemeral, StopIsTermThenKillWhenItIsDeaf) {
  engine_.script = "deaf";
  const std::string id = create();
  loop_.run(engine_.start(id));
  const Ending ending = stopped(id, {.grace = 0.05});
  EXPECT_EQ(ending.exit_code, 137);
  EXPECT_EQ(engine_.count("kill TERM"), 1);
  EXPECT_EQ(engine_.count("kill KILL"), 1);
}

TEST_F(Ephemeral, StopThatIsHeardNeedsNoKill) {
  engine_.script = "hang";
  const std::string id = create();
  loop_.run(engine_.start(id));
  EXPECT_EQ(stopped(id, {.grace = 60}).exit_code, 143);
  EXPECT_EQ(engine_.count("kill KILL"), 0);
}

TEST_F(Ephemeral, HurryKillsBeforeTheGraceIsOver) {
  engine_.script = "deaf";
  const std::string id = create();
  loop_.run(engine_.start(id));
  const StopLimits limits{.grace = 600, .hurry = [] { return true; }};
  EXPECT_EQ(loop_.run(stop_verified(engine_, id, limits), 10).exit_code, 137);
}

TEST_F(Ephemeral, NoGraceKillsAtOnce) {
  engine_.script = "hang";
  const std::string id = create();
  loop_.run(engine_.start(id));
  stopped(id, {.grace = 0});
  EXPECT_EQ(engine_.count("kill TERM"), 0);
  EXPECT_EQ(engine_.count("kill KILL"), 1);
}

TEST_F(Ephemeral, StoppingWhatIsGoneIsNoError) {
  EXPECT_EQ(stopped("absent", {.grace = 1}).kind, Kind::gone);
}

}  // namespace
}  // namespace controller::test
