#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/container/launcher_process.hpp"

namespace container::testing {
namespace {

using nlohmann::json;

void wait_until_stopped(const std::string& pid) {
  const auto bound = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (read_text("/proc/" + pid + "/stat").find(") T ") == std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now(), bound);
    sched_yield();
  }
}

class LauncherProcesses : public ::testing::Test {
 protected:
  std::unique_ptr<LaunchedProcess> start(const std::string& script,
                                         std::vector<std::string> flags = {}) {
    return std::make_unique<LaunchedProcess>(LaunchedProcess::Setup{
        .out = folder.path(), .flags = std::move(flags), .command = {"sh", "-c", script}});
  }
  json outcome() { return outcome_in(folder.path()); }

  ScratchFolder folder;
};

TEST_F(LauncherProcesses, ABackgroundChildThatHoldsStdoutDoesNotBlock) {
  EXPECT_EQ(start("sleep 1000 & exit 6")->finish().exit_code, 6);
  EXPECT_EQ(outcome()["killed_descendants"], 1);
}

TEST_F(LauncherProcesses, DescendantsInOtherSessionsAreKilled) {
  auto launched = start(
      "setsid sh -c 'trap \"\" TERM HUP; echo $$ >&9; read never <&8; sleep 1000' &"
      "setsid sh -c 'setsid sh -c \"echo \\$\\$ >&9; sleep 1000\" & wait' &"
      "read go <&8; kill -9 $$");
  const WatchedProcess first(std::stoi(launched->hear())), second(std::stoi(launched->hear()));
  launched->tell("");
  launched->tell("");
  EXPECT_EQ(launched->finish().exit_code, 128 + 9);
  EXPECT_TRUE(first.has_ended());
  EXPECT_TRUE(second.has_ended());
  EXPECT_GE(outcome()["killed_descendants"].get<int>(), 3);
  EXPECT_EQ(outcome()["left_descendants"], 0);
}

TEST_F(LauncherProcesses, TheOutcomeComesAfterTheEndOfTheLastDescendant) {
  NameWatch watch(folder.path());
  auto launched = start(
      "for i in 1 2 3 4; do setsid sh -c 'echo $$ >&9; while :; do sleep 1000; done' & done;"
      "read go <&8");
  std::vector<std::unique_ptr<WatchedProcess>> children;
  for (int i = 0; i < 4; ++i)
    children.push_back(std::make_unique<WatchedProcess>(std::stoi(launched->hear())));
  launched->tell("go");
  watch.wait_for("outcome.json");
  for (const auto& child : children) EXPECT_TRUE(child->has_ended());
  launched->finish();
}

TEST_F(LauncherProcesses, AChainThatKeepsForkingIsEnded) {
  auto launched = start(
      "hop() { setsid sh -c \"$1\" hop \"$1\" & }; "
      "hop 'echo $$ >&9; setsid sh -c \"sleep 0.001; $1\" hop \"$1\" &'; read go <&8");
  launched->hear();
  launched->tell("go");
  EXPECT_EQ(launched->finish().exit_code, 0);
  EXPECT_EQ(outcome()["left_descendants"], 0);
}

TEST_F(LauncherProcesses, EverySignalThatIsForwardedArrives) {
  const std::map<int, json> stopped_by{{SIGTERM, "TERM"},  {SIGINT, "INT"},    {SIGHUP, "HUP"},
                                       {SIGQUIT, nullptr}, {SIGUSR1, nullptr}, {SIGUSR2, nullptr}};
  for (const auto& [number, name] : stopped_by) {
    ScratchFolder own;
    LaunchedProcess launched(
        {.out = own.path(), .command = {"sh", "-c", "echo ready >&9; exec sleep 1000"}});
    launched.hear();
    kill(launched.pid(), number);
    EXPECT_EQ(launched.finish().exit_code, 128 + number);
    EXPECT_EQ(outcome_in(own.path())["signal"], number);
    EXPECT_EQ(outcome_in(own.path())["stopped_by"], name);
  }
}

TEST_F(LauncherProcesses, TermReachesTheWholeGroupAndTheExitCodeIsThePayloads) {
  auto launched = start("sleep 1000 & trap '' TERM; echo ready >&9; wait $!; exit 9");
  launched->hear();
  kill(launched->pid(), SIGTERM);
  EXPECT_EQ(launched->finish().exit_code, 9);
  EXPECT_EQ(outcome()["stopped_by"], "TERM");
  EXPECT_EQ(outcome()["signal"], nullptr);
}

TEST_F(LauncherProcesses, Usr1DoesNotStartTheGrace) {
  auto launched = start(
      "sleep 1000 & trap '' USR1; echo ready >&9; wait $!; echo over >&9; read go <&8; exit 3",
      {"--grace", "0"});
  launched->hear();
  kill(launched->pid(), SIGUSR1);
  EXPECT_EQ(launched->hear(), "over");
  launched->tell("go");
  EXPECT_EQ(launched->finish().exit_code, 3);
  EXPECT_EQ(outcome()["stopped_by"], nullptr);
}

TEST_F(LauncherProcesses, AfterTheGraceEveryDescendantIsKilled) {
  auto launched = start(
      "trap '' TERM; setsid sh -c 'echo $$ >&9; while :; do sleep 1000; done' & "
      "while :; do sleep 1000; done",
      {"--grace", "0.05"});
  const WatchedProcess child(std::stoi(launched->hear()));
  kill(launched->pid(), SIGTERM);
  EXPECT_EQ(launched->finish().exit_code, 128 + 9);
  EXPECT_TRUE(child.has_ended());
  EXPECT_EQ(outcome()["signal"], 9);
  EXPECT_EQ(outcome()["stopped_by"], "TERM");
}

TEST_F(LauncherProcesses, AGraceOfZeroKillsAtOnce) {
  auto launched = start("trap '' TERM; echo ready >&9; read go <&8", {"--grace", "0"});
  launched->hear();
  kill(launched->pid(), SIGTERM);
  EXPECT_EQ(launched->finish().exit_code, 128 + 9);
}

TEST_F(LauncherProcesses, WithoutGraceAPayloadThatIgnoresTermGoesOn) {
  auto launched = start(
      "sleep 1000 & trap '' TERM; echo ready >&9; wait $!; echo still >&9; read go <&8; exit 2");
  launched->hear();
  kill(launched->pid(), SIGTERM);
  EXPECT_EQ(launched->hear(), "still");
  launched->tell("go");
  EXPECT_EQ(launched->finish().exit_code, 2);
}

TEST_F(LauncherProcesses, AStoppedPayloadHasNotEnded) {
  auto launched = start("echo $$ >&9; kill -STOP $$; echo resumed >&9; exit 5");
  const std::string pid = launched->hear();
  wait_until_stopped(pid);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "outcome.json"));
  kill(std::stoi(pid), SIGCONT);
  EXPECT_EQ(launched->hear(), "resumed");
  EXPECT_EQ(launched->finish().exit_code, 5);
}

TEST_F(LauncherProcesses, AStoppedPayloadHearsTerm) {
  auto launched = start("trap 'exit 8' TERM; echo $$ >&9; kill -STOP $$; read go <&8");
  wait_until_stopped(launched->hear());
  kill(launched->pid(), SIGTERM);
  EXPECT_EQ(launched->finish().exit_code, 8);
}

TEST_F(LauncherProcesses, TheEndOfAFollowedProcessStopsThePayload) {
  const pid_t followed = fork();
  if (followed == 0) {
    pause();
    _exit(0);
  }
  auto launched =
      start("echo ready >&9; exec sleep 1000", {"--follow-pid", std::to_string(followed)});
  launched->hear();
  kill(followed, SIGKILL);
  waitpid(followed, nullptr, 0);
  EXPECT_EQ(launched->finish().exit_code, 128 + 15);
  EXPECT_EQ(outcome()["stopped_by"], "follow-pid");
}

TEST_F(LauncherProcesses, AFollowedProcessThatIsNotThereStartsNothing) {
  const pid_t gone = fork();
  if (gone == 0) _exit(0);
  waitpid(gone, nullptr, 0);
  EXPECT_EQ(start("true", {"--follow-pid", std::to_string(gone)})->finish().exit_code, 71);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST_F(LauncherProcesses, SignalsBlockedInTheCallerAreOpenForThePayload) {
  sigset_t blocked, before;
  sigfillset(&blocked);
  sigprocmask(SIG_SETMASK, &blocked, &before);
  auto launched = start("grep SigBlk /proc/self/status");
  sigprocmask(SIG_SETMASK, &before, nullptr);
  launched->finish();
  EXPECT_EQ(read_text(folder.path() / "stdout.log"), "SigBlk:\t0000000000000000\n");
}

TEST_F(LauncherProcesses, APayloadDoesNotOutliveAKilledLauncher) {
  auto launched = start("echo $$ >&9; exec sleep 1000");
  const WatchedProcess payload(std::stoi(launched->hear()));
  kill(launched->pid(), SIGKILL);
  EXPECT_EQ(launched->finish().signal, SIGKILL);
  payload.wait_for_end();
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "outcome.json"));
}

TEST(LauncherProperty, KilledAtAnyMomentItLeavesWholeFilesOrNone) {
  std::mt19937 random(20261121);
  std::uniform_int_distribution<int> moment_us(0, 6000);
  int ended = 0;
  for (int i = 0; i < 200; ++i) {
    ScratchFolder folder;
    LaunchedProcess launched(
        {.out = folder.path(), .command = {"sh", "-c", "sleep 1 & seq 1 2000"}});
    const timespec moment{.tv_sec = 0, .tv_nsec = moment_us(random) * 1000L};
    ppoll(nullptr, 0, &moment, nullptr);
    kill(launched.pid(), SIGKILL);
    launched.finish();
    // Killed between STOP and KILL it leaves what it has stopped.
    const std::string stop = std::string(LAUNCHER_PATH) + " --stop --grace 0 --out " +
                             folder.path().string() + " >/dev/null";
    ASSERT_EQ(std::system(stop.c_str()), 0);
    for (const char* name : {"begun", "outcome.json"}) {
      if (!std::filesystem::exists(folder.path() / name)) continue;
      const json record = json::parse(read_text(folder.path() / name), nullptr, false);
      ASSERT_TRUE(record.is_object()) << name << " in round " << i;
      ASSERT_TRUE(record["run"] == "tiny.c01.a1" || record["pid"] == 0);
      ended += std::string(name) == "outcome.json";
    }
  }
  RecordProperty("rounds_with_an_outcome", ended);
}

}  // namespace
}  // namespace container::testing
