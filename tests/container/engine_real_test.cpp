#include <chrono>

#include "tests/support/container/real_engine.hpp"

namespace container::test {
namespace {

using RealEngineTest = RealEngine;

constexpr char absent[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

template <class Verb>
EngineError refusal(Verb verb) {
  try {
    verb();
  } catch (const EngineError& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was refused";
  return {-1, ""};
}

TEST_F(RealEngineTest, InfoNamesTheEngine) {
  const auto info = loop().run(engine().info());
  EXPECT_FALSE(info.id.empty());
  EXPECT_FALSE(info.version.empty());
  EXPECT_TRUE(info.api_version.starts_with("1."));
  EXPECT_GT(info.cpus, 0);
  EXPECT_GT(info.memory, 0);
  EXPECT_FALSE(info.runtimes.empty());
}

TEST_F(RealEngineTest, AttachAndWaitBeforeStartLoseNothing) {
  const auto id = create(shell("echo out; echo err >&2; exit 3"));
  const auto output = loop().run(engine().attach(id));
  const auto wait = loop().run(engine().wait(id, WaitCondition::next_exit));
  loop().run(engine().start(id));
  const auto all = loop().run(collect(*output));
  EXPECT_EQ(all.out, "out\n");
  EXPECT_EQ(all.err, "err\n");
  const auto result = loop().run(wait->result());
  EXPECT_TRUE(result.known) << result.error;
  EXPECT_EQ(result.exit_code, 3);
  const auto state = loop().run(engine().inspect(id));
  EXPECT_EQ(state.status, ContainerStatus::exited);
  EXPECT_EQ(state.exit_code, 3);
  EXPECT_FALSE(state.oom_killed);
  EXPECT_EQ(state.name, unique_);
  EXPECT_EQ(state.labels.at("campaignctl.test"), unique_);
}

TEST_F(RealEngineTest, LongOutputArrivesWhole) {
  const auto id = create(shell("seq 1 200000"));
  const auto output = loop().run(engine().attach(id));
  loop().run(engine().start(id));
  const auto all = loop().run(collect(*output));
  EXPECT_EQ(std::count(all.out.begin(), all.out.end(), '\n'), 200000);
  EXPECT_TRUE(all.out.ends_with("\n200000\n"));
}

TEST_F(RealEngineTest, NameIsAFence) {
  create(shell("true"));
  const auto error = refusal([&] { create(shell("true")); });
  EXPECT_TRUE(error.conflict()) << error.what();
  EXPECT_NE(std::string(error.what()).find(unique_), std::string::npos);
}

TEST_F(RealEngineTest, MissingImageIsNotFound) {
  auto spec = shell("true");
  spec.image = "campaignctl/no-such-image:0";
  EXPECT_TRUE(refusal([&] { create(spec); }).not_found());
  EXPECT_FALSE(loop().run(engine().image(spec.image)).has_value());
}

TEST_F(RealEngineTest, MissingMountSourceIsRefusedAndNotMade) {
  auto spec = shell("true");
  spec.mounts = {{.source = "/nonexistent-campaignctl-test", .target = "/data"}};
  EXPECT_EQ(refusal([&] { create(spec); }).status, 400);
}

TEST_F(RealEngineTest, StartTwiceIsStartedOnce) {
  const auto id = create(shell("sleep 60"));
  loop().run(engine().start(id));
  EXPECT_NO_THROW(loop().run(engine().start(id)));
}

TEST_F(RealEngineTest, FailedStartIsTheEnginesErrorAndTheStateStaysCreated) {
  auto spec = shell("true");
  spec.init = false;
  spec.command = {"/no/such/program"};
  const auto id = create(spec);
  const auto error = refusal([&] { loop().run(engine().start(id)); });
  EXPECT_EQ(error.status, 400) << error.what();
  const auto state = loop().run(engine().inspect(id));
  EXPECT_EQ(state.status, ContainerStatus::created);
  EXPECT_EQ(state.exit_code, 127);
  EXPECT_FALSE(state.error.empty());
}

TEST_F(RealEngineTest, WaitsThatWouldLieOrHangAreRefused) {
  const auto id = create(shell("true"));
  const auto early = refusal([&] { loop().run(engine().wait(id, WaitCondition::not_running)); });
  EXPECT_TRUE(early.conflict()) << early.what();
  loop().run(engine().start(id));
  EXPECT_EQ(ended(id).exit_code, 0);
  const auto late = refusal([&] { loop().run(engine().wait(id, WaitCondition::next_exit)); });
  EXPECT_TRUE(late.conflict()) << late.what();
  const auto deaf = refusal([&] { loop().run(engine().attach(id)); });
  EXPECT_TRUE(deaf.conflict()) << deaf.what();
}

TEST_F(RealEngineTest, WaitForARemovedContainerIsNotFound) {
  EXPECT_TRUE(
      refusal([&] { loop().run(engine().wait(absent, WaitCondition::next_exit)); }).not_found());
  EXPECT_TRUE(
      refusal([&] { loop().run(engine().wait(absent, WaitCondition::removed)); }).not_found());
}

TEST_F(RealEngineTest, WaitRemovedEndsAtTheRemoval) {
  const auto id = create(shell("exit 5"));
  loop().run(engine().start(id));
  EXPECT_EQ(ended(id).exit_code, 5);
  const auto removed = loop().run(engine().wait(id, WaitCondition::removed));
  loop().run(engine().remove(id, false));
  const auto result = loop().run(removed->result());
  EXPECT_TRUE(result.known) << result.error;
  EXPECT_EQ(result.exit_code, 5);
}

// A signal that comes before the engine's init has set itself up is lost: the payload says when it
// is there.
TEST_F(RealEngineTest, KillIsTermThroughInitAndNoErrorOnTheDead) {
  const auto id = create(shell("echo up; sleep 60"));
  EXPECT_NO_THROW(loop().run(engine().kill(id, "TERM")));
  const auto output = loop().run(engine().attach(id));
  loop().run(engine().start(id));
  EXPECT_TRUE(loop().run(output->next()).has_value());
  loop().run(engine().kill(id, "TERM"));
  EXPECT_EQ(ended(id).exit_code, 143);
  EXPECT_NO_THROW(loop().run(engine().kill(id, "KILL")));
  EXPECT_TRUE(refusal([&] { loop().run(engine().kill(absent, "KILL")); }).not_found());
}

TEST_F(RealEngineTest, RemoveRefusesTheRunningForcesOnDemandAndForgivesTheGone) {
  const auto id = create(shell("sleep 60"));
  loop().run(engine().start(id));
  EXPECT_TRUE(refusal([&] { loop().run(engine().remove(id, false)); }).conflict());
  loop().run(engine().remove(id, true));
  EXPECT_TRUE(refusal([&] { loop().run(engine().inspect(id)); }).not_found());
  EXPECT_NO_THROW(loop().run(engine().remove(id, true)));
}

TEST_F(RealEngineTest, ManyRemovalsAtOnceAllSucceedWhenItIsGone) {
  const auto id = create(shell("sleep 60"));
  loop().run(engine().start(id));
  int done = 0;
  const auto remove = [](Engine& engine, std::string which, int& count) -> Task<> {
    co_await engine.remove(which, true);
    ++count;
  };
  for (int i = 0; i < 4; ++i) {
    boost::asio::co_spawn(loop().io(), remove(engine(), id, done),
                          [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
  }
  loop().run([](int& count) -> Task<> {
    while (count < 4) co_await sleep_for(0.005);
  }(done));
  EXPECT_TRUE(refusal([&] { loop().run(engine().inspect(id)); }).not_found());
}

TEST_F(RealEngineTest, ListGoesByLabelsAndSeesAllStates) {
  auto spec = shell("true");
  spec.labels["campaignctl.test-extra"] = "a=b c/\"ä\"";
  const auto id = create(spec);
  const auto by_value = loop().run(
      engine().list({{"campaignctl.test", unique_}, {"campaignctl.test-extra", "a=b c/\"ä\""}}));
  ASSERT_EQ(by_value.size(), 1u);
  EXPECT_EQ(by_value[0].id, id);
  EXPECT_EQ(by_value[0].name, unique_);
  EXPECT_EQ(by_value[0].status, ContainerStatus::created);
  EXPECT_GT(by_value[0].created, 0);
  EXPECT_EQ(loop()
                .run(engine().list({{"campaignctl.test-extra", ""}, {"campaignctl.test", unique_}}))
                .size(),
            1u);
  EXPECT_TRUE(loop().run(engine().list({{"campaignctl.test", unique_ + "x"}})).empty());
}

TEST_F(RealEngineTest, LogsGiveTheLastLinesOfBothStreams) {
  const auto id = create(shell("for i in 1 2 3; do echo line$i; done; exit 1"));
  loop().run(engine().start(id));
  ended(id);
  EXPECT_EQ(loop().run(engine().logs(id, 2)), "line2\nline3\n");
  EXPECT_EQ(loop().run(engine().logs(id, -1)), "line1\nline2\nline3\n");
}

TEST_F(RealEngineTest, FollowedLogsBeginAtTheFirstByteAndEndWithTheContainer) {
  const auto id = create(shell("echo one; exec sleep 60"));
  loop().run(engine().start(id));
  const auto stream = loop().run(engine().follow_logs(id));
  const auto first = loop().run(stream->next());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->data, "one\n");
  loop().run(engine().kill(id, "KILL"));
  EXPECT_FALSE(loop().run(stream->next()));
  const auto again = loop().run(engine().follow_logs(id));
  EXPECT_EQ(loop().run(collect(*again)).out, "one\n");
}

TEST_F(RealEngineTest, EventsTellTheExitCodeAndResumeAfterTheLastSeen) {
  const auto events = loop().run(engine().events({{"campaignctl.test", unique_}}, 0));
  const auto id = create(shell("exit 4"));
  loop().run(engine().start(id));
  std::optional<EngineEvent> create_event, event;
  do {
    event = loop().run(events->next());
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->id, id);
    if (event->action == "create") create_event = event;
  } while (event->action != "die");
  EXPECT_EQ(event->attributes.at("exitCode"), "4");
  ASSERT_TRUE(create_event.has_value());
  const auto resumed =
      loop().run(engine().events({{"campaignctl.test", unique_}}, create_event->time_nano));
  const auto first = loop().run(resumed->next());
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->action, "start");
}

TEST_F(RealEngineTest, ArchiveGivesAFilesBytes) {
  const auto id = create(shell("true"));
  EXPECT_EQ(loop().run(engine().read_archive(id, "/etc/passwd")).substr(0, 5), "root:");
  EXPECT_TRUE(refusal([&] { loop().run(engine().read_archive(id, "/no/such/file")); }).not_found());
}

TEST_F(RealEngineTest, ImageIdentityIsOfContentNotOfId) {
  const auto image = loop().run(engine().image(probe_image));
  ASSERT_TRUE(image.has_value());
  EXPECT_TRUE(image->id.starts_with("sha256:"));
  EXPECT_FALSE(image->layers.empty());
  EXPECT_EQ(image->identity().size(), 64u);
  EXPECT_EQ(loop().run(engine().image(image->id))->identity(), image->identity());
}

TEST_F(RealEngineTest, UnpauseOfOneThatRunsIsRefused) {
  const auto id = create(shell("sleep 60"));
  loop().run(engine().start(id));
  EXPECT_TRUE(refusal([&] { loop().run(engine().unpause(id)); }).status >= 400);
}

TEST_F(RealEngineTest, WhatASpecSaysHoldsInside) {
  auto spec = shell(R"(pwd; id -u; echo $NVIDIA_VISIBLE_DEVICES $A; ulimit -n
df -k /dev/shm | tail -n 1 | awk '{print $2}'
awk '$2 == "/" || $2 == "/ro" { print $2, substr($4, 1, 2) }' /proc/mounts
touch /scratch/x && echo scratch; head -c 5 /ro/passwd)");
  spec.env = {"A=b c"};
  spec.user = "1234:1234";
  spec.working_dir = "/tmp";
  spec.ulimits = {{.name = "nofile", .soft = 999, .hard = 1000}};
  spec.shm_size = 8 << 20;
  spec.read_only = true;
  spec.tmpfs = {{"/scratch", "mode=1777"}};
  spec.mounts = {{.source = "/etc", .target = "/ro", .read_only = true}};
  spec.memory = 64 << 20;
  spec.pids_limit = 50;
  spec.cpus = 0.5;
  spec.cap_drop = {"ALL"};
  spec.security_opt = {"no-new-privileges"};
  spec.stop_timeout = 3;
  const auto id = create(spec);
  const auto output = loop().run(engine().attach(id));
  loop().run(engine().start(id));
  EXPECT_EQ(loop().run(collect(*output)).out,
            "/tmp\n1234\nvoid b c\n999\n8192\n/ ro\n/ro ro\nscratch\nroot:");
}

TEST_F(RealEngineTest, OutOfMemoryIsFlagged) {
  auto spec = shell("head -c 200m /dev/zero | tail; exit 9");
  spec.memory = 32 << 20;
  const auto id = create(spec);
  loop().run(engine().start(id));
  ended(id);
  EXPECT_TRUE(loop().run(engine().inspect(id)).oom_killed);
}

TEST_F(RealEngineTest, LongestArgumentThatIsAllowedCanBeExecuted) {
  auto spec = shell("echo ${#A}");
  spec.env = {"A=" + std::string(131069, 'x')};
  const auto id = create(spec);
  loop().run(engine().start(id));
  EXPECT_EQ(ended(id).exit_code, 0);
  EXPECT_EQ(loop().run(engine().logs(id, 10)), "131069\n");
}

TEST_F(RealEngineTest, PullWithoutARegistryFailsWithTheEnginesWords) {
  const auto error = refusal([&] { loop().run(engine().pull("127.0.0.1:1/campaignctl/none:1")); });
  EXPECT_GE(error.status, 400) << error.what();
}

TEST_F(RealEngineTest, CancelledVerbLeavesTheEngineUsable) {
  const auto id = create(shell("sleep 60"));
  loop().run(engine().start(id));
  const auto wait = loop().run(engine().wait(id, WaitCondition::not_running));
  EXPECT_FALSE(loop().run(with_timeout(wait->result(), 0.05)).has_value());
  EXPECT_EQ(loop().run(engine().inspect(id)).status, ContainerStatus::running);
}

TEST_F(RealEngineTest, ShortCallsCostWellBelowAMillisecondOfOurs) {
  loop().run(engine().info());
  const auto calls = [](Engine& engine) -> Task<> {
    for (int i = 0; i < 200; ++i) co_await engine.image("campaignctl/none:0");
  };
  const auto before = loop().turns();
  const auto begin = std::chrono::steady_clock::now();
  loop().run(calls(engine()));
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
  RecordProperty("microseconds_per_call", static_cast<int>(spent.count() * 1000 / 200));
  EXPECT_LT(spent.count() / 200, 5.0);
  EXPECT_LT(loop().turns() - before, 200u * 20u);
}

}  // namespace
}  // namespace container::test
