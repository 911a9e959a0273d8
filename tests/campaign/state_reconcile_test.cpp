#include "campaign/state/reconcile.hpp"

#include <gtest/gtest.h>

#include "tests/support/campaign/state_support.hpp"

namespace campaign {
namespace {

using testing::record;
using State = Observed::State;

// One run "r.c01" of engine E on host node7, and what is found of it.
class Scene {
 public:
  Scene& journal(Event event) {
    apply(fold_, record("node7-11-0f1e2d3c-1", ++seq_, std::move(event)));
    return *this;
  }
  Scene& initialised(int attempt = 1, const std::string& engine = "E") {
    return journal(event::Claimed{"r.c01", attempt, 0, "name", engine, "node7", 1});
  }
  Scene& running(int attempt = 1, const std::string& engine = "E") {
    return initialised(attempt, engine).journal(event::Starting{"r.c01", attempt, "id1", 0, 0, 1});
  }
  Scene& local_running() {
    journal(event::Claimed{"r.c01", 1, 0, "", "", "node7", 1});
    return journal(event::Starting{"r.c01", 1, "", 77, 5, 1});
  }
  // An exec in the container "held" (id h1) of the service "runner".
  Scene& exec_initialised(const std::string& run = "r.c01") {
    return journal(event::Claimed{run, 1, 0, "held", "E", "node7", 1, "runner"});
  }
  Scene& exec_running(const std::string& run = "r.c01") {
    return exec_initialised(run).journal(event::Starting{run, 1, "h1", 0, 0, 1});
  }
  Scene& held(State state = State::running, const std::string& id = "h1") {
    input_.containers.push_back({"", 0, id, "held", state, false, "runner"});
    return *this;
  }
  Scene& exec_runs(const std::string& attempt = "r.c01.a1") {
    input_.execs.insert(attempt);
    return *this;
  }
  Scene& server(const std::string& run, const std::string& id) {
    input_.containers.push_back({run, 1, id, "server", State::running, true});
    return *this;
  }
  Scene& completed() { return journal(event::Completed{"r.c01", 1, 1, 2, 2, 1, {}, false}); }
  Scene& engine(State state, int attempt = 1, const std::string& id = "id1") {
    input_.containers.push_back({"r.c01", attempt, id, "name", state, false});
    return *this;
  }
  Scene& disk(const FoundOnDisk& found) {
    input_.on_disk["r.c01"] = found;
    return *this;
  }
  std::string plan() {
    input_.fold = &fold_;
    input_.engine_id = "E";
    input_.host = "node7";
    std::string text;
    for (const ReconcileStep& step : reconcile(input_)) text += step.text() + "\n";
    return text;
  }

 private:
  Fold fold_;
  std::int64_t seq_ = 0;
  ReconcileInput input_;
};

FoundOnDisk whole(int attempt) { return {true, false, false, attempt}; }
FoundOnDisk outcome(int attempt) { return {false, true, false, attempt}; }
FoundOnDisk alive() { return {false, false, true, 1}; }

TEST(Reconcile, NothingLeftNothingToDo) { EXPECT_EQ(Scene().plan(), ""); }

TEST(Reconcile, RunningAndRunningIsAdopted) {
  EXPECT_EQ(Scene().running().engine(State::running).plan(),
            "r.c01.a1: adopt id1 (journal says running a1, engine says running)\n");
}

TEST(Reconcile, WhatExitedIsCollected) {
  EXPECT_EQ(Scene().running().engine(State::exited).plan(),
            "r.c01.a1: collect id1 (journal says running a1, engine says exited)\n");
  EXPECT_EQ(Scene().initialised().engine(State::exited).plan(),
            "r.c01.a1: collect id1 (journal says initialised a1, engine says exited)\n");
}

TEST(Reconcile, RunningButOnlyCreatedIsStartedAgain) {
  EXPECT_EQ(Scene().running().engine(State::created).plan(),
            "r.c01.a1: start again and adopt id1 (journal says running a1, engine says created)\n");
}

TEST(Reconcile, OutcomeOfTheLauncherIsCollectedWithoutAContainer) {
  EXPECT_EQ(Scene().running().disk(outcome(1)).plan(),
            "r.c01.a1: collect (journal says running a1, engine has nothing, the launcher left an "
            "outcome)\n");
}

TEST(Reconcile, OutcomeOfAnEarlierAttemptDecidesNothing) {
  EXPECT_EQ(Scene().running(2).disk(outcome(1)).plan(),
            "r.c01.a2: record as lost (journal says running a2, engine has nothing)\n");
}

TEST(Reconcile, RunningAndNothingLeftIsLost) {
  EXPECT_EQ(Scene().running().plan(),
            "r.c01.a1: record as lost (journal says running a1, engine has nothing)\n");
}

TEST(Reconcile, InitialisedAndCreatedIsFencedByItsName) {
  EXPECT_EQ(
      Scene().initialised().engine(State::created).plan(),
      "r.c01.a1: start again and adopt id1 (journal says initialised a1, engine says created)\n");
}

TEST(Reconcile, InitialisedAndRunningIsAdopted) {
  EXPECT_EQ(Scene().initialised().engine(State::running).plan(),
            "r.c01.a1: adopt id1 (journal says initialised a1, engine says running)\n");
}

TEST(Reconcile, InitialisedAndNothingIsCreatedAgain) {
  EXPECT_EQ(Scene().initialised().plan(),
            "r.c01.a1: create again (journal says initialised a1, engine has nothing)\n");
}

TEST(Reconcile, WholeResultIsRecorded) {
  EXPECT_EQ(
      Scene().running().disk(whole(1)).plan(),
      "r.c01.a1: record as completed (journal says running a1, its result is whole in raw/)\n");
  EXPECT_EQ(
      Scene().running().disk(whole(1)).engine(State::exited).plan(),
      "r.c01.a1: record as completed id1 (journal says running a1, its result is whole in raw/)\n");
  EXPECT_EQ(Scene().disk(whole(2)).plan(),
            "r.c01.a2: record as completed (journal says pending, its result is whole in raw/)\n");
}

TEST(Reconcile, ResultThatWasSetAsideIsNotRecordedAgain) {
  EXPECT_EQ(Scene()
                .running()
                .completed()
                .journal(event::Reopened{"r.c01", "--rerun"})
                .disk(whole(1))
                .plan(),
            "");
  EXPECT_EQ(Scene().running().completed().disk(whole(1)).plan(), "");
}

TEST(Reconcile, LeftoversOfCompletedRunsAreRemoved) {
  EXPECT_EQ(Scene().running().completed().engine(State::exited).plan(),
            "r.c01.a1: remove id1 (journal says completed a1, engine says exited)\n");
  EXPECT_EQ(Scene().running().completed().engine(State::paused).plan(),
            "r.c01.a1: remove id1 (journal says completed a1, engine says paused)\n");
}

TEST(Reconcile, LeftoversOfFailedInterruptedAndOlderAttemptsAreRemoved) {
  event::Failed failed;
  failed.run = "r.c01";
  EXPECT_EQ(Scene().running().journal(failed).engine(State::running).plan(),
            "r.c01.a1: remove id1 (journal says failed a1, engine says running)\n");
  EXPECT_EQ(Scene()
                .running()
                .journal(event::Interrupted{"r.c01", 1, "disk", 1})
                .engine(State::exited)
                .plan(),
            "r.c01.a1: remove id1 (journal says interrupted a1, engine says exited)\n");
  Scene two;
  two.running().journal(event::Interrupted{"r.c01", 1, "lost", 1}).running(2);
  EXPECT_EQ(two.engine(State::running, 2, "id2").engine(State::exited, 1, "id1").plan(),
            "r.c01.a2: adopt id2 (journal says running a2, engine says running)\n"
            "r.c01.a1: remove id1 (journal says running a2, engine says exited)\n");
}

TEST(Reconcile, ContainerOfAReleasedAttemptIsRemoved) {
  EXPECT_EQ(
      Scene().initialised().journal(event::Released{"r.c01", 1}).engine(State::created).plan(),
      "r.c01.a1: remove id1 (journal says pending, engine says created)\n");
}

TEST(Reconcile, PausedIsUnpausedAndWhatGoesIsWaitedFor) {
  EXPECT_EQ(Scene().running().engine(State::paused).plan(),
            "r.c01.a1: unpause and adopt id1 (journal says running a1, engine says paused)\n");
  EXPECT_EQ(Scene().running().engine(State::removing).plan(),
            "r.c01.a1: wait until it is gone id1 (journal says running a1, engine says removing)\n"
            "r.c01.a1: record as lost (journal says running a1, engine has nothing)\n");
  EXPECT_EQ(Scene().initialised().engine(State::dead).plan(),
            "r.c01.a1: wait until it is gone id1 (journal says initialised a1, engine says dead)\n"
            "r.c01.a1: create again (journal says initialised a1, engine has nothing)\n");
}

TEST(Reconcile, AnythingElseIsRefused) {
  EXPECT_EQ(Scene().engine(State::running).plan(),
            "r.c01.a1: refuse id1 (journal says pending, engine says running for an attempt that "
            "nobody claimed)\n");
  EXPECT_EQ(Scene().running().engine(State::running, 2, "id2").engine(State::running).plan(),
            "r.c01.a1: adopt id1 (journal says running a1, engine says running)\n"
            "r.c01.a2: refuse id2 (journal says running a1, engine says running for an attempt "
            "that nobody claimed)\n");
  EXPECT_EQ(Scene().running().engine(State::running).engine(State::exited, 1, "id2").plan(),
            "r.c01.a1: refuse id1 (journal says running a1, engine has several of this attempt)\n"
            "r.c01.a1: refuse id2 (journal says running a1, engine has several of this attempt)\n");
}

TEST(Reconcile, AttemptsOfAnotherEngineAreLeftAlone) {
  EXPECT_EQ(Scene().running(1, "OTHER").plan(), "");
  EXPECT_EQ(Scene().initialised(1, "OTHER").plan(), "");
}

TEST(Reconcile, LocalRunsAreJudgedByTheirProcess) {
  EXPECT_EQ(Scene().local_running().disk(alive()).plan(),
            "r.c01.a1: adopt (journal says running a1, its process lives)\n");
  EXPECT_EQ(Scene().local_running().disk(outcome(1)).plan(),
            "r.c01.a1: collect (journal says running a1, engine has nothing, the launcher left an "
            "outcome)\n");
  EXPECT_EQ(Scene().local_running().plan(),
            "r.c01.a1: record as lost (journal says running a1, engine has nothing)\n");
}

TEST(ReconcileExecs, OneThatRunsIsAdoptedAndItsContainerStays) {
  EXPECT_EQ(Scene().exec_running().held().exec_runs().plan(),
            "r.c01.a1: adopt h1 (journal says running a1, engine says its exec runs)\n");
}

TEST(ReconcileExecs, OneThatEndedIsCollectedByItsOutcomeAndItsContainerGoes) {
  EXPECT_EQ(Scene().exec_running().held().disk(outcome(1)).plan(),
            "r.c01.a1: collect (journal says running a1, engine has nothing, the launcher left an "
            "outcome)\n"
            "held: remove h1 (no run goes on in it, engine says running)\n");
}

TEST(ReconcileExecs, AfterTheLossOfTheEngineTheOutcomeDecides) {
  EXPECT_EQ(Scene().exec_running().held(State::exited).disk(outcome(1)).plan(),
            "r.c01.a1: collect (journal says running a1, engine has nothing, the launcher left an "
            "outcome)\n"
            "held: remove h1 (no run goes on in it, engine says exited)\n");
  EXPECT_EQ(Scene().exec_running().held(State::exited).plan(),
            "r.c01.a1: record as lost (journal says running a1, engine has nothing)\n"
            "held: remove h1 (no run goes on in it, engine says exited)\n");
  EXPECT_EQ(Scene().exec_running().plan(),
            "r.c01.a1: record as lost (journal says running a1, engine has nothing)\n");
}

TEST(ReconcileExecs, OneThatWasNotStartedIsBegunAgainInAFreshContainer) {
  EXPECT_EQ(Scene().exec_initialised().held().plan(),
            "r.c01.a1: create again (journal says initialised a1, engine has nothing)\n"
            "held: remove h1 (no run goes on in it, engine says running)\n");
}

TEST(ReconcileExecs, APilotIsNotGoneOnWith) {
  EXPECT_EQ(Scene().exec_running("r.p").held().exec_runs("r.p.a1").plan(),
            "held: remove h1 (no run goes on in it, engine says running)\n");
}

TEST(ReconcileServers, OneThatARunInFlightUsesStays) {
  Scene scene;
  scene.journal(event::Claimed{"r.c01", 1, 0, "name", "E", "node7", 1})
      .journal(event::Starting{"r.c01", 1, "id1", 0, 0, 1, "s1"})
      .engine(State::running)
      .server("earlier.c01", "s1")
      .server("other.c01", "s2");
  EXPECT_EQ(scene.plan(),
            "other.c01.a1: refuse s2 (journal says pending, engine says running for an attempt "
            "that nobody claimed)\n"
            "r.c01.a1: adopt id1 (journal says running a1, engine says running)\n");
}

TEST(ReconcileServers, OneWhoseClientIsLostGoes) {
  EXPECT_EQ(Scene().running().server("r.c01", "s1").plan(),
            "r.c01.a1: record as lost (journal says running a1, engine has nothing)\n"
            "r.c01.a1: remove s1 (journal says running a1, its client is lost)\n");
}

}  // namespace
}  // namespace campaign
