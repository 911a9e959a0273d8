// What a supervisor decides, as printed steps.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "controller/supervise/machine.hpp"

namespace controller::supervise {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Lines = std::vector<std::string>;
using Kind = Input::Kind;

constexpr Restart permanent = Restart::permanent;

std::vector<ServicePolicy> three(Restart restart = permanent) {
  return {{.name = "a", .restart = restart},
          {.name = "b", .restart = restart},
          {.name = "c", .restart = restart}};
}

// A machine, a clock that is moved by hand, and the incarnation that each service is in.
class Stage {
 public:
  explicit Stage(SupervisorPolicy policy, std::vector<ServicePolicy> services = three())
      : machine_(std::move(policy), services) {}

  Lines send(Input input) {
    Lines lines;
    for (const Step& step : machine_.handle(input, {.now = now, .chance = chance}))
      lines.push_back(to_text(step, machine_));
    return lines;
  }
  Lines send(Kind kind) { return send(Input{.kind = kind}); }
  Lines runs(const std::string& name) { return send(about(Kind::running, name)); }
  Lines fails(const std::string& name) { return ends(name, {.well = false, .how = "exit code 3"}); }
  Lines ends(const std::string& name, Exit exit = {.well = true, .how = "exit code 0"}) {
    Input input = about(Kind::ended, name);
    input.exit = std::move(exit);
    return send(input);
  }
  Lines restart(const std::string& name) { return send(about(Kind::restart, name)); }
  Lines at(double moment) {
    now = moment;
    return send(Kind::tick);
  }
  Input about(Kind kind, const std::string& name) const {
    const std::size_t service = machine_.index_of(name);
    return {
        .kind = kind, .service = service, .incarnation = machine_.services()[service].incarnation};
  }
  void all_run() {
    send(Kind::start);
    for (const ServiceState& service : machine_.services()) runs(service.policy.name);
  }

  Machine& machine() { return machine_; }
  double now = 0;
  double chance = 0;

 private:
  Machine machine_;
};

TEST(Machine, ServicesStartInOrderEachOnceTheOneBeforeServes) {
  Stage stage({.name = "s"});
  EXPECT_THAT(stage.send(Kind::start), ElementsAre("start a: first start"));
  EXPECT_THAT(stage.runs("a"), ElementsAre("running a", "start b: first start"));
  EXPECT_THAT(stage.runs("b"), ElementsAre("running b", "start c: first start"));
  EXPECT_THAT(stage.runs("c"), ElementsAre("running c"));
  EXPECT_EQ(stage.machine().next_deadline(), INFINITY);
}

TEST(Machine, OneForOneRestartsTheOneThatEnded) {
  Stage stage({.name = "s", .back_off = {.kind = BackOff::Kind::linear}});
  stage.all_run();
  EXPECT_THAT(stage.fails("b"), ElementsAre("ended b: exit code 3", "back_off b 1 s: exit code 3"));
  EXPECT_EQ(stage.machine().next_deadline(), 1);
  EXPECT_THAT(stage.at(0.9), IsEmpty());
  EXPECT_THAT(stage.at(1), ElementsAre("start b: restart after exit code 3"));
}

TEST(Machine, AFirstStartThatFailsDoesNotHoldUpOthersUnderOneForOne) {
  Stage stage({.name = "s"});
  stage.send(Kind::start);
  EXPECT_THAT(stage.fails("a"), ElementsAre("ended a: exit code 3", "back_off a 1 s: exit code 3",
                                            "start b: first start"));
}

TEST(Machine, OneForAllStopsTheOthersInReverseAndStartsAllInOrder) {
  Stage stage({.name = "s", .strategy = Strategy::one_for_all, .back_off = immediate});
  stage.all_run();
  EXPECT_THAT(stage.fails("b"), ElementsAre("ended b: exit code 3", "back_off b 0 s: exit code 3",
                                            "stop c: b is restarted"));
  EXPECT_THAT(stage.ends("c"), ElementsAre("ended c: exit code 0", "stop a: b is restarted"));
  EXPECT_THAT(stage.ends("a"), ElementsAre("ended a: exit code 0", "start a: b is restarted"));
  EXPECT_THAT(stage.runs("a"), ElementsAre("running a", "start b: restart after exit code 3"));
  EXPECT_THAT(stage.runs("b"), ElementsAre("running b", "start c: b is restarted"));
}

TEST(Machine, RestForOneLeavesThoseBefore) {
  Stage stage({.name = "s", .strategy = Strategy::rest_for_one, .back_off = fixed_five_seconds});
  stage.all_run();
  EXPECT_THAT(stage.fails("b"), ElementsAre("ended b: exit code 3", "back_off b 5 s: exit code 3",
                                            "stop c: b is restarted"));
  EXPECT_THAT(stage.ends("c"), ElementsAre("ended c: exit code 0"));
  EXPECT_THAT(stage.at(5), ElementsAre("start b: restart after exit code 3"));
  EXPECT_THAT(stage.runs("b"), ElementsAre("running b", "start c: b is restarted"));
}

TEST(Machine, TransientIsDoneAfterAGoodEndAndRestartedAfterABadOne) {
  Stage stage({.name = "s"}, three(Restart::transient));
  stage.all_run();
  EXPECT_THAT(stage.ends("a"),
              ElementsAre("ended a: exit code 0", "done a: transient, exit code 0"));
  EXPECT_THAT(stage.fails("b"), ElementsAre("ended b: exit code 3", "back_off b 1 s: exit code 3"));
}

TEST(Machine, TemporaryIsNeverRestarted) {
  Stage stage({.name = "s"}, three(Restart::temporary));
  stage.all_run();
  EXPECT_THAT(stage.fails("a"),
              ElementsAre("ended a: exit code 3", "done a: temporary, exit code 3"));
  EXPECT_EQ(stage.machine().state(), Machine::State::running);
}

TEST(Machine, AGroupTakesAlongTransientOnesAndNotTemporaryOnes) {
  Stage stage({.name = "s", .strategy = Strategy::one_for_all, .back_off = immediate},
              {{.name = "t", .restart = Restart::temporary},
               {.name = "n", .restart = Restart::transient},
               {.name = "p"}});
  stage.all_run();
  stage.ends("n");
  EXPECT_THAT(stage.fails("p"), ElementsAre("ended p: exit code 3", "back_off p 0 s: exit code 3",
                                            "stop t: shutdown"));
  EXPECT_THAT(stage.ends("t"), ElementsAre("ended t: exit code 0", "start n: p is restarted"));
  EXPECT_THAT(stage.runs("n"), ElementsAre("running n", "start p: restart after exit code 3"));
}

TEST(Machine, BackOffGrowsUntilTheServiceWasHealthy) {
  Stage stage({.name = "s", .healthy_for = 10, .max_restarts = std::nullopt}, {{.name = "a"}});
  stage.all_run();
  for (const char* delay : {"1 s", "2 s", "4 s", "8 s"}) {
    EXPECT_THAT(
        stage.fails("a"),
        ElementsAre("ended a: exit code 3", "back_off a " + std::string(delay) + ": exit code 3"));
    stage.at(stage.machine().next_deadline());
    stage.now += 9;  // a little less than healthy
    stage.runs("a");
  }
  const double healthy_at = stage.machine().next_deadline();
  EXPECT_EQ(healthy_at, stage.now + 10);
  EXPECT_THAT(stage.at(healthy_at), ElementsAre("healthy a"));
  EXPECT_THAT(stage.fails("a"), ElementsAre("ended a: exit code 3", "back_off a 1 s: exit code 3"));
}

TEST(Machine, MoreRestartsThanAllowedEndTheSupervisor) {
  Stage stage({.name = "s", .back_off = immediate, .max_restarts = 2, .window_seconds = 60});
  stage.all_run();
  for (const double moment : {1, 2}) {
    stage.now = moment;
    stage.fails("b");
    stage.runs("b");
  }
  stage.now = 3;
  EXPECT_THAT(stage.fails("b"),
              ElementsAre("ended b: exit code 3",
                          "give_up s: b ended (exit code 3) and has used up its 2 restarts within "
                          "60 s",
                          "stop c: shutdown"));
  stage.ends("c");
  EXPECT_THAT(stage.ends("a"), ElementsAre("ended a: exit code 0", "finished s"));
  EXPECT_EQ(stage.machine().state(), Machine::State::gave_up);
}

TEST(Machine, RestartsThatCountForeverAreToldWithoutTheirWindow) {
  Stage stage({.name = "s",
               .back_off = immediate,
               .max_restarts = 0,
               .window_seconds = std::numeric_limits<double>::infinity()},
              {{.name = "a"}});
  stage.all_run();
  EXPECT_THAT(stage.fails("a"),
              Contains("give_up s: a ended (exit code 3) and has used up its 0 restarts"));
}

TEST(Machine, RestartsThatLeftTheWindowDoNotCount) {
  Stage stage({.name = "s", .back_off = immediate, .max_restarts = 2, .window_seconds = 60},
              {{.name = "a"}});
  stage.all_run();
  for (const double moment : {0, 30, 60, 90, 120}) {
    stage.now = moment;
    EXPECT_EQ(stage.fails("a").back(), "start a: restart after exit code 3") << moment;
    stage.runs("a");
  }
}

TEST(Machine, AStartThatTakesTooLongIsACrash) {
  Stage stage({.name = "s"}, {{.name = "a", .start_within = 60}});
  stage.send(Kind::start);
  EXPECT_THAT(stage.at(60), ElementsAre("kill a: did not start within 60 s"));
  EXPECT_THAT(stage.ends("a", {.how = "signal 9"}),
              ElementsAre("ended a: signal 9", "back_off a 1 s: signal 9"));
}

TEST(Machine, OneThatDoesNotDieIsLostAndNeverStartedASecondTime) {
  Stage stage({.name = "s"}, {{.name = "a", .start_within = 60, .kill_within = 5}});
  stage.send(Kind::start);
  stage.at(60);
  EXPECT_THAT(stage.at(65), ElementsAre("lost a: lives on though it was killed",
                                        "give_up s: a does not die", "finished s"));
}

TEST(Machine, ShutdownAsksInReverseAndKillsAfterItsBound) {
  Stage stage({.name = "s"});
  stage.all_run();
  EXPECT_THAT(stage.send(Kind::stop), ElementsAre("stop c: shutdown"));
  EXPECT_THAT(stage.at(9), IsEmpty());
  EXPECT_THAT(stage.at(10), ElementsAre("kill c: did not end within 10 s"));
  EXPECT_THAT(stage.at(15),
              ElementsAre("lost c: lives on though it was killed", "stop b: shutdown"));
  EXPECT_THAT(stage.ends("b"), ElementsAre("ended b: exit code 0", "stop a: shutdown"));
  EXPECT_THAT(stage.ends("a"), ElementsAre("ended a: exit code 0", "finished s"));
  EXPECT_EQ(stage.machine().state(), Machine::State::stopped);
}

TEST(Machine, HurryKillsAllAtOnceAlsoOnesThatWereAsked) {
  Stage stage({.name = "s"});
  stage.all_run();
  stage.send(Kind::stop);
  EXPECT_THAT(stage.send(Kind::hurry),
              ElementsAre("kill c: in a hurry", "kill b: shutdown", "kill a: shutdown"));
}

TEST(Machine, AReportOfAnEarlierIncarnationIsIgnored) {
  Stage stage({.name = "s", .back_off = immediate}, {{.name = "a"}});
  stage.all_run();
  const Input late = stage.about(Kind::ended, "a");
  stage.fails("a");
  EXPECT_THAT(stage.send(late), IsEmpty());
  EXPECT_THAT(stage.runs("a"), ElementsAre("running a"));
}

TEST(Machine, ARestartThatWasAskedForCountsAgainstNoLimit) {
  Stage stage({.name = "s", .max_restarts = 0}, {{.name = "a"}});
  stage.all_run();
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(stage.restart("a"), ElementsAre("stop a: a restart was asked for"));
    EXPECT_THAT(stage.ends("a"),
                ElementsAre("ended a: exit code 0", "start a: a restart was asked for"));
    stage.runs("a");
  }
  EXPECT_THAT(stage.fails("a").at(1), ::testing::StartsWith("give_up s"));
}

TEST(Machine, ARestartThatWasAskedForEndsABackOff) {
  Stage stage({.name = "s"}, {{.name = "a"}});
  stage.all_run();
  stage.fails("a");
  EXPECT_THAT(stage.restart("a"), ElementsAre("start a: a restart was asked for"));
}

TEST(BackOff, DelaysStayWithinTheirBounds) {
  EXPECT_EQ(delay_of(immediate, 7, 0.5), 0);
  EXPECT_EQ(delay_of(fixed_five_seconds, 7, 0.5), 5);
  const BackOff linear{.kind = BackOff::Kind::linear};
  EXPECT_EQ(delay_of(linear, 3, 0.5), 3);
  EXPECT_EQ(delay_of(linear, 100, 0.5), 60);
  const BackOff exponential;
  for (const double chance : {0.0, 0.3, 0.999})
    for (int n = 1; n < 200; ++n) {
      const double delay = delay_of(exponential, n, chance);
      EXPECT_GE(delay, std::min(std::ldexp(1.0, n - 1), 55.0));
      EXPECT_LE(delay, std::min(std::ldexp(1.5, n - 1), 60.0));
    }
}

}  // namespace
}  // namespace controller::supervise
