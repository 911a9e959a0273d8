// Runs by exec in a container that stays, on the engine of this machine.
#include "container/exec.hpp"

#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/container/launcher_process.hpp"
#include "tests/support/container/real_engine.hpp"

namespace container::test {
namespace {

using Kind = ExecEnding::Kind;
using testing::read_text;

// An image that holds nothing but a program named sleep.
constexpr char bare_image[] = "campaignctl/bare:1";
constexpr char make_bare[] =
    "d=$(mktemp -d) && mkdir -p $d/bin $d/proc $d/dev && cp \"$(command -v busybox)\" $d/bin/sleep "
    "&& "
    "tar -C $d -c . | docker import - campaignctl/bare:1 >/dev/null; rc=$?; rm -rf $d; exit $rc";

class RealEngineExec : public RealEngine {
 protected:
  void SetUp() override {
    RealEngine::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    chmod(folder_.path().c_str(), 0777);
    container_ = hold(probe_image);
  }

  // A container that does nothing, with the launcher and the folder of the runs.
  std::string hold(const std::string& image, const std::vector<std::string>& command = {}) {
    ContainerSpec spec = shell("");
    spec.name = unique_ + "-" + std::to_string(++containers_);
    spec.image = image;
    spec.entrypoint = {"/campaign/launch"};
    spec.command = {"--hold"};
    if (!command.empty()) {
      spec.entrypoint.reset();
      spec.command = command;
    }
    spec.mounts = {{.source = LAUNCHER_PATH, .target = "/campaign/launch", .read_only = true},
                   {.source = folder_.path().string(), .target = "/campaign/runs"}};
    const auto id = create(spec);
    loop().run(engine().start(id));
    return id;
  }

  ExecRun run_of(const std::string& name, const std::string& script) {
    ExecRun run{.container = container_,
                .name = name,
                .command = {"/bin/sh", "-c", script},
                .env = {"WORD=said"},
                .user = "1000:1000",
                .working_dir = "/tmp",
                .out = "/campaign/runs/" + name,
                .out_here = folder_.path() / name};
    std::filesystem::create_directories(run.out_here);
    chmod(run.out_here.c_str(), 0777);
    return run;
  }

  ExecStarted start(const ExecRun& run) {
    told_ = 0;
    return loop().run(start_exec(engine(), run, {.on_exit = [this] { ++told_; }}));
  }
  ExecStarted adopt(const ExecRun& run) {
    told_ = 0;
    return loop().run(adopt_exec(engine(), run, [this] { ++told_; }));
  }
  ExecEnding look(const ExecRun& run, const std::string& exec) {
    return loop().run(look_exec(engine(), run, exec));
  }
  // Until the witness has told; then what happened.
  ExecEnding ended(const ExecRun& run, const ExecStarted& started) {
    loop().run([](const int& told) -> Task<> {
      while (told == 0) co_await sleep_for(0.002);
    }(told_));
    EXPECT_EQ(told_, 1);
    return look(run, started.exec);
  }
  void wait_for(const std::filesystem::path& file) {
    loop().run([](std::filesystem::path path) -> Task<> {
      while (!std::filesystem::exists(path)) co_await sleep_for(0.002);
    }(file));
  }
  ExecEnding stop(const ExecRun& run, double grace) {
    const StopLimits limits{.grace = grace};
    return loop().run(stop_exec(engine(), run, limits));
  }
  std::string in_container(const std::string& script) {
    const ExecSpec spec{.command = {"/bin/sh", "-c", script}, .user = "0:0"};
    return loop().run(run_exec(engine(), container_, spec, 30)).out;
  }
  nlohmann::json outcome(const ExecRun& run) { return testing::outcome_in(run.out_here); }
  // The engine takes an exec off its container's list a little after it has told of its end.
  bool no_execs_are_left() {
    for (int i = 0; i < 1000; ++i) {
      if (loop().run(engine().inspect(container_)).execs.empty()) return true;
      loop().run(sleep_for(0.01));
    }
    return false;
  }

  testing::ScratchFolder folder_;
  std::string container_;
  int containers_ = 0, told_ = 0;
};

TEST_F(RealEngineExec, LeavesItsOutputAndOutcomeInItsFolder) {
  const auto run = run_of("x.c01.a1", "echo $WORD $PWD $(id -u):$(id -g); echo err >&2; exit 7");
  const auto started = start(run);
  ASSERT_TRUE(started.witness) << started.ending.error;
  const auto ending = ended(run, started);
  EXPECT_EQ(ending.kind, Kind::ended) << ending.error;
  EXPECT_TRUE(ending.outcome);
  EXPECT_EQ(outcome(run)["exit_code"], 7);
  loop().run(settle_exec(engine(), started.exec));
  EXPECT_EQ(loop().run(engine().execs().inspect(started.exec)).exit_code, 7);
  EXPECT_EQ(read_text(run.out_here / "stdout.log"), "said /tmp 1000:1000\n");
  EXPECT_EQ(read_text(run.out_here / "stderr.log"), "err\n");
}

TEST_F(RealEngineExec, SettlingLastsUntilTheEngineHasSeenTheEnd) {
  const auto run = run_of("x.a1", "while [ ! -e /campaign/runs/go ]; do sleep 0.01; done");
  const auto started = start(run);
  bool settled = false;
  loop().run([](Engine& engine, std::string exec, std::filesystem::path go, bool& over) -> Task<> {
    const auto settle = [](Engine& on, std::string which, bool& done) -> Task<> {
      co_await settle_exec(on, which);
      done = true;
    };
    EXPECT_FALSE(co_await finished_within(settle(engine, exec, over), 0.3));
    EXPECT_FALSE(over) << "settled while it ran";
    std::ofstream(go) << "go";
    EXPECT_TRUE(co_await finished_within(settle(engine, exec, over), 20));
  }(engine(), started.exec, folder_.path() / "go", settled));
  EXPECT_TRUE(settled);
  EXPECT_FALSE(loop().run(engine().execs().inspect(started.exec)).running);
  EXPECT_EQ(outcome(run)["exit_code"], 0);
}

TEST_F(RealEngineExec, WhatTheEngineDoesNotKnowIsSettled) {
  loop().run(settle_exec(engine(), ""));
  loop().run(settle_exec(engine(), std::string(64, 'e')));
}

TEST_F(RealEngineExec, WhatCannotBeExecutedIsAnOutcomeAndAMissingLauncherAFailedStart) {
  auto run = run_of("command.a1", "");
  run.command = {"/no/such/program"};
  EXPECT_EQ(ended(run, start(run)).kind, Kind::ended);
  EXPECT_EQ(outcome(run)["exec_error"]["errno"], ENOENT);
  run = run_of("folder.a1", "true");
  run.working_dir = "/no/such/folder";
  EXPECT_EQ(ended(run, start(run)).kind, Kind::ended);
  EXPECT_EQ(outcome(run)["exit_code"], 127);
  run = run_of("launcher.a1", "true");
  run.launcher = "/no/such/launcher";
  const auto started = start(run);
  EXPECT_FALSE(started.witness);
  EXPECT_EQ(started.ending.kind, Kind::start_failed);
  EXPECT_NE(started.ending.error.find("no such file"), std::string::npos) << started.ending.error;
}

TEST_F(RealEngineExec, AFolderThatIsNotThereIsSaidSo) {
  auto run = run_of("x.a1", "true");
  run.out = "/campaign/runs/other";
  const auto started = start(run);
  const auto ending = ended(run, started);
  EXPECT_EQ(ending.kind, Kind::lost);
  EXPECT_NE(ending.error.find("cannot write its folder"), std::string::npos) << ending.error;
}

TEST_F(RealEngineExec, ASecondStartOfAnAttemptRefuses) {
  const auto run = run_of("x.a1",
                          "echo once >> /campaign/runs/x.a1/count; "
                          "while [ ! -e /campaign/runs/go ]; do sleep 0.01; done");
  auto first = start(run);
  wait_for(run.out_here / "count");
  first.witness.reset();
  const auto second = start(run);
  EXPECT_EQ(ended(run, second).kind, Kind::begun_before);
  const auto adopted = adopt(run);
  ASSERT_TRUE(adopted.witness) << adopted.ending.error;
  EXPECT_EQ(adopted.exec, first.exec);
  std::ofstream(folder_.path() / "go") << "go";
  EXPECT_EQ(ended(run, adopted).kind, Kind::ended);
  EXPECT_EQ(read_text(run.out_here / "count"), "once\n");
}

TEST_F(RealEngineExec, AfterTheLossOfThisProgramItIsFoundByItsName) {
  const auto run = run_of("x.a1",
                          "touch /campaign/runs/x.a1/up; while [ ! -e /campaign/runs/go ];"
                          " do sleep 0.01; done; exit 5");
  std::string exec;
  {
    Loop other_loop;
    const auto other = make_docker_engine(other_loop.io(), {.endpoint = endpoint_});
    exec = other_loop.run(start_exec(*other, run, {.on_exit = [] {}})).exec;
  }
  wait_for(run.out_here / "up");
  EXPECT_EQ(loop().run(find_exec(engine(), container_, "x.a1")), exec);
  EXPECT_FALSE(loop().run(find_exec(engine(), container_, "x.a2")));
  const auto adopted = adopt(run);
  ASSERT_TRUE(adopted.witness) << adopted.ending.error;
  EXPECT_EQ(adopted.exec, exec);
  EXPECT_EQ(told_, 0);
  std::ofstream(folder_.path() / "go") << "go";
  const auto ending = ended(run, adopted);
  EXPECT_EQ(ending.kind, Kind::ended);
  EXPECT_EQ(outcome(run)["exit_code"], 5);
}

TEST_F(RealEngineExec, OneThatEndedMeanwhileIsAdoptedByItsOutcome) {
  const auto run = run_of("x.a1", "exit 6");
  ended(run, start(run));
  const auto adopted = adopt(run);
  EXPECT_FALSE(adopted.witness);
  EXPECT_EQ(adopted.ending.kind, Kind::ended);
  EXPECT_TRUE(adopted.ending.outcome);
}

// The launcher runs as something that the engine does not know as an exec: what is left of one
// after a restart of the engine.
TEST_F(RealEngineExec, OneThatTheEngineHasForgottenIsAdoptedAndStopped) {
  const auto unknown = [this](const std::string& name) {
    auto run = run_of(name, "");
    run.user = "0:0";
    run.container =
        hold(probe_image, {"/bin/sh", "-c",
                           "/campaign/launch --run " + name + " --out " + run.out +
                               " -- sh -c 'touch " + run.out + "/up; while [ ! -e " + run.out +
                               "/go ]; do sleep 0.01; done; exit 4'; "
                               "exec sleep 1000"});
    wait_for(run.out_here / "up");
    return run;
  };
  const auto run = unknown("x.a1");
  const auto adopted = adopt(run);
  ASSERT_TRUE(adopted.witness) << adopted.ending.error;
  EXPECT_EQ(adopted.exec, "");
  std::ofstream(run.out_here / "go") << "go";
  const auto ending = ended(run, adopted);
  EXPECT_EQ(ending.kind, Kind::ended);
  EXPECT_TRUE(ending.outcome);
  EXPECT_EQ(outcome(run)["exit_code"], 4);
  const auto other = unknown("y.a1");
  EXPECT_EQ(stop(other, 0).kind, Kind::ended);
  EXPECT_EQ(outcome(other)["stopped_by"], "TERM");
}

TEST_F(RealEngineExec, OneThatHadNotBegunIsFencedOff) {
  const auto run = run_of("x.a1", "touch /campaign/runs/x.a1/ran");
  const auto adopted = adopt(run);
  EXPECT_EQ(adopted.ending.kind, Kind::lost);
  EXPECT_NE(adopted.ending.error.find("had not begun"), std::string::npos);
  const auto late = start(run);
  EXPECT_EQ(ended(run, late).kind, Kind::begun_before);
  EXPECT_FALSE(std::filesystem::exists(run.out_here / "ran"));
}

TEST_F(RealEngineExec, AStopKillsWhateverItStarted) {
  const auto run = run_of(
      "x.a1",
      "trap '' TERM; setsid sh -c 'trap \"\" TERM; touch /campaign/runs/x.a1/up; while :; do sleep "
      "777; done' & while :; do sleep 777; done");
  const auto started = start(run);
  wait_for(run.out_here / "up");
  const auto ending = stop(run, 0.1);
  EXPECT_EQ(ending.kind, Kind::ended) << ending.error;
  EXPECT_EQ(outcome(run)["signal"], 9);
  EXPECT_EQ(outcome(run)["stopped_by"], "TERM");
  EXPECT_EQ(in_container("ps | grep -c '[7]77'"), "0\n");
  EXPECT_TRUE(no_execs_are_left());
}

TEST_F(RealEngineExec, AStopProvesThatNothingIsLeftOfAKilledLauncher) {
  const auto run = run_of("x.a1",
                          "setsid sh -c 'trap \"\" TERM; touch /campaign/runs/x.a1/up; while :; do "
                          "sleep 777; done' & sleep 777");
  const auto started = start(run);
  wait_for(run.out_here / "up");
  const auto begun = nlohmann::json::parse(read_text(run.out_here / "begun"));
  in_container("kill -9 " + std::to_string(begun["pid"].get<int>()));
  EXPECT_NE(in_container("ps | grep -c '[7]77'"), "0\n");
  const auto ending = stop(run, 0.1);
  EXPECT_EQ(ending.kind, Kind::lost);
  EXPECT_EQ(in_container("ps | grep -c '[7]77'"), "0\n");
}

TEST_F(RealEngineExec, AHurryCutsTheGraceShort) {
  const auto run =
      run_of("x.a1", "trap '' TERM; touch /campaign/runs/x.a1/up; while :; do sleep 1; done");
  const auto started = start(run);
  wait_for(run.out_here / "up");
  const StopLimits limits{.grace = 600, .hurry = [] { return true; }};
  EXPECT_EQ(loop().run(stop_exec(engine(), run, limits)).kind, Kind::ended);
  EXPECT_EQ(outcome(run)["signal"], 9);
}

TEST_F(RealEngineExec, AStopWorksInAnImageWithoutAShell) {
  ASSERT_EQ(std::system(make_bare), 0) << "the bare image could not be made";
  container_ = hold(bare_image);
  auto run = run_of("x.a1", "");
  run.command = {"/bin/sleep", "777"};
  run.working_dir = "/";
  const auto started = start(run);
  wait_for(run.out_here / "begun");
  const auto ending = stop(run, 10);
  EXPECT_EQ(ending.kind, Kind::ended) << ending.error;
  EXPECT_EQ(outcome(run)["signal"], 15);
  EXPECT_TRUE(no_execs_are_left());
}

TEST_F(RealEngineExec, TwoHundredLeaveNothingBehind) {
  const std::string count = "set -- /proc/[0-9]*; echo $#";
  const auto before = in_container(count);
  for (int i = 0; i < 200; ++i) {
    const auto run = run_of("x.c" + std::to_string(i) + ".a1", "sleep 1000 & exit 0");
    const auto started = start(run);
    ASSERT_TRUE(started.witness) << started.ending.error;
    ASSERT_EQ(ended(run, started).kind, Kind::ended);
    loop().run(settle_exec(engine(), started.exec));
  }
  EXPECT_TRUE(no_execs_are_left());
  EXPECT_EQ(in_container(count), before);
}

TEST_F(RealEngineExec, TheEndOfItsContainerIsNoticed) {
  const auto run = run_of("x.a1", "touch /campaign/runs/x.a1/up; sleep 1000");
  const auto started = start(run);
  wait_for(run.out_here / "up");
  loop().run(engine().kill(container_, "KILL"));
  started.witness->tell({.action = "die", .id = container_, .attributes = {}});
  EXPECT_EQ(told_, 1);
  const auto ending = ended(run, started);
  EXPECT_EQ(ending.kind, Kind::lost);
  EXPECT_EQ(stop(run, 1).kind, Kind::lost);
}

TEST_F(RealEngineExec, TheEnginesEventTellsToo) {
  const auto run = run_of("x.a1", "touch /campaign/runs/x.a1/up; sleep 1000");
  const auto started = start(run);
  started.witness->tell(
      {.action = "exec_die", .id = container_, .attributes = {{"execID", "other"}}});
  EXPECT_EQ(told_, 0);
  started.witness->tell(
      {.action = "exec_die", .id = container_, .attributes = {{"execID", started.exec}}});
  started.witness->tell(
      {.action = "exec_die", .id = container_, .attributes = {{"execID", started.exec}}});
  EXPECT_EQ(told_, 1);
}

TEST_F(RealEngineExec, WithoutTheLauncherTheEnginesAnswersAreUsed) {
  auto run = run_of("x.a1", "echo out; echo err >&2; exit 9");
  run.launcher.clear();
  const auto started = start(run);
  ASSERT_TRUE(started.witness) << started.ending.error;
  loop().run([](const int& told) -> Task<> {
    while (told == 0) co_await sleep_for(0.002);
  }(told_));
  ExecEnding ending;
  for (int i = 0; i < 1000 && ending.kind == Kind::running; ++i) ending = look(run, started.exec);
  EXPECT_EQ(ending.kind, Kind::ended);
  EXPECT_FALSE(ending.outcome);
  EXPECT_EQ(ending.exit_code, 9);
  EXPECT_EQ(read_text(run.out_here / "stdout.log"), "out\n");
  EXPECT_EQ(read_text(run.out_here / "stderr.log"), "err\n");
  EXPECT_EQ(adopt(run).ending.kind, Kind::lost);
  EXPECT_THROW(stop(run, 0), EngineError);
}

TEST_F(RealEngineExec, ACommandWithItsOutput) {
  const ExecSpec spec{.command = {"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}};
  const auto said = loop().run(run_exec(engine(), container_, spec, 30));
  EXPECT_EQ(said.exit_code, 3);
  EXPECT_EQ(said.out, "out\n");
  EXPECT_EQ(said.err, "err\n");
  const ExecSpec slow{.command = {"/bin/sleep", "1000"}};
  EXPECT_TRUE(loop().run(run_exec(engine(), container_, slow, 0.1)).timed_out);
}

}  // namespace
}  // namespace container::test
