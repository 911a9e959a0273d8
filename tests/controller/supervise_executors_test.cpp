// Services as coroutines, threads and processes that crash, hang and do not listen: all real.
#include <signal.h>

#include <atomic>
#include <boost/asio/this_coro.hpp>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "controller/supervise/async_executor.hpp"
#include "controller/supervise/async_process_executor.hpp"
#include "controller/supervise/process_executor.hpp"
#include "controller/supervise/thread_executor.hpp"
#include "controller/supervise/worker.hpp"
#include "tests/support/controller/cli_fixture.hpp"
#include "tests/support/controller/supervision.hpp"

namespace controller::supervise::test {
namespace {

using container::sleep_for;
constexpr double long_time = 1000;

class Executors : public ::testing::Test {
 protected:
  void TearDown() override { supervision_.end(); }

  container::test::Loop loop_;
  Supervision supervision_{loop_};
};

// Which of the two loops a body runs on is all that differs.
enum class Where { loop, thread };
class Bodies : public Executors, public ::testing::WithParamInterface<Where> {
 protected:
  std::unique_ptr<Executor> made(ServiceBody body, Ready ready = Ready::at_once) {
    if (GetParam() == Where::loop)
      return std::make_unique<AsyncExecutor>(loop_.io(), std::move(body), ready);
    return std::make_unique<ThreadExecutor>(loop_.io(), std::move(body), ready);
  }
};
INSTANTIATE_TEST_SUITE_P(Supervise, Bodies, ::testing::Values(Where::loop, Where::thread),
                         [](const auto& info) {
                           return info.param == Where::loop ? "OnTheLoop" : "OnAThread";
                         });

TEST_P(Bodies, OneThatThrowsIsRestartedUntilItsLimit) {
  std::atomic<int> begun = 0;
  supervision_.add({.name = "s", .back_off = quick, .max_restarts = 3}, {.name = "a"},
                   made([&](ServiceContext&) -> Task<> {
                     ++begun;
                     co_await sleep_for(0.001);
                     throw std::runtime_error("no more");
                   }));
  supervision_.until("finished s");
  EXPECT_EQ(begun, 4);
  EXPECT_EQ(supervision_.told("ended a: no more"), 4);
  EXPECT_NE(supervision_.host().find("s")->why_gave_up().find("a ended (no more)"),
            std::string::npos);
}

TEST_P(Bodies, AStopEndsWhatWaits) {
  supervision_.add({.name = "s"}, {.name = "a"}, made([](ServiceContext& context) -> Task<> {
                     while (!context.stopping()) co_await context.wait(long_time);
                   }));
  supervision_.until("running a");
  EXPECT_LT(supervision_.shut_down(), 5);
  EXPECT_EQ(supervision_.told("ended a: returned"), 1) << supervision_.text();
}

TEST_P(Bodies, AStopCancelsWhatRunsUnlessStopped) {
  std::atomic<bool> ended = true;
  supervision_.add({.name = "s"}, {.name = "a"}, made([&](ServiceContext& context) -> Task<> {
                     ended = co_await context.unless_stopped(sleep_for(long_time));
                   }));
  supervision_.until("running a");
  supervision_.shut_down();
  EXPECT_FALSE(ended);
}

TEST_P(Bodies, OneThatDoesNotListenIsCancelledAfterItsBound) {
  supervision_.add({.name = "s"}, {.name = "a", .stop_within = 0.1},
                   made([](ServiceContext&) -> Task<> { co_await sleep_for(long_time); }));
  supervision_.until("running a");
  supervision_.shut_down();
  EXPECT_EQ(supervision_.told("kill a: did not end within 0.1 s"), 1) << supervision_.text();
  EXPECT_EQ(supervision_.told("ended a: cancelled"), 1) << supervision_.text();
}

TEST_P(Bodies, ItRunsOnceItSaysSo) {
  std::atomic<bool> again = false;
  supervision_.add({.name = "s", .back_off = quick}, {.name = "a", .start_within = 0.1},
                   made(
                       [&](ServiceContext& context) -> Task<> {
                         if (again.exchange(true)) context.ready();
                         while (!context.stopping()) co_await context.wait(long_time);
                       },
                       Ready::when_told));
  supervision_.until("kill a: did not start within 0.1 s");
  supervision_.until("running a");
  EXPECT_EQ(supervision_.told("running a"), 1);
}

TEST_F(Executors, AThreadIsNotOurs) {
  std::atomic<std::thread::id> its{};
  supervision_.add({.name = "s"}, {.name = "a"},
                   std::make_unique<ThreadExecutor>(
                       loop_.io(),
                       [&](ServiceContext& context) -> Task<> {
                         its = std::this_thread::get_id();
                         context.ready();
                         while (!context.stopping()) co_await context.wait(long_time);
                       },
                       Ready::when_told));
  supervision_.until("running a");
  EXPECT_NE(its.load(), std::this_thread::get_id());
}

TEST_F(Executors, AThreadThatBlocksIsStoppedByItsToken) {
  supervision_.add(
      {.name = "s"}, {.name = "a"},
      std::make_unique<ThreadExecutor>(loop_.io(), [](ServiceContext& context) -> Task<> {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any never;
        never.wait(lock, context.token(), [] { return false; });
        co_return;
      }));
  supervision_.until("running a");
  supervision_.shut_down();
  EXPECT_EQ(supervision_.told("ended a: returned"), 1) << supervision_.text();
}

TEST_F(Executors, AThreadThatCannotBeEndedIsToldAsLostAndHoldsNothingUp) {
  // Left to itself by its executor, the thread may outlive this test.
  const auto release = std::make_shared<std::atomic<bool>>(false);
  supervision_.add(
      {.name = "s"}, {.name = "a", .stop_within = 0.05, .kill_within = 0.05},
      std::make_unique<ThreadExecutor>(loop_.io(), [release](ServiceContext&) -> Task<> {
        release->wait(false);
        co_return;
      }));
  supervision_.until("running a");
  EXPECT_LT(supervision_.shut_down(), 5);
  EXPECT_EQ(supervision_.told("lost a"), 1) << supervision_.text();
  *release = true;
  release->notify_all();
}

class Processes : public Executors {
 protected:
  std::unique_ptr<Executor> shell(const std::string& script) {
    return std::make_unique<ProcessExecutor>(
        loop_.io(), Command{.argv = {"sh", "-c", script}, .cwd = folder_.path()});
  }
  void until_file(const std::string& name) {
    while (!std::ifstream(folder_.path() + "/" + name).good()) loop_.run(sleep_for(0.01));
  }
  std::int64_t number_in(const std::string& name) {
    std::int64_t number = 0;
    while (!(std::ifstream(folder_.path() + "/" + name) >> number)) loop_.run(sleep_for(0.01));
    return number;
  }
  testing::Folder folder_;
};

TEST_F(Processes, ACrashIsToldWithItsCodeAndRestarted) {
  supervision_.add({.name = "s", .back_off = quick, .max_restarts = 2}, {.name = "a"},
                   shell("exit 3"));
  supervision_.until("finished s");
  EXPECT_EQ(supervision_.told("ended a: exit code 3"), 3) << supervision_.text();
}

TEST_F(Processes, AGoodEndOfATransientOneIsItsEnd) {
  supervision_.add({.name = "s"}, {.name = "a", .restart = Restart::transient}, shell("exit 0"));
  supervision_.until("done a: transient, exit code 0");
}

TEST_F(Processes, OneThatIsKilledFromOutsideIsNoticed) {
  supervision_.add({.name = "s", .back_off = quick}, {.name = "a"},
                   shell("echo $$ > pid; exec sleep 1000"));
  kill(static_cast<pid_t>(number_in("pid")), SIGKILL);
  supervision_.until("ended a: signal 9");
  supervision_.until("running a", 2);
}

TEST_F(Processes, AStopIsTerm) {
  supervision_.add({.name = "s"}, {.name = "a"},
                   shell("trap 'exit 7' TERM; touch up; while :; do sleep 0.02; done"));
  until_file("up");
  supervision_.shut_down();
  EXPECT_EQ(supervision_.told("ended a: exit code 7"), 1) << supervision_.text();
}

TEST_F(Processes, OneThatIgnoresTermIsKilledWithItsGroupAfterItsBound) {
  supervision_.add({.name = "s"}, {.name = "a", .stop_within = 0.2},
                   shell("trap '' TERM; sleep 1000 & echo $! > child; touch up; "
                         "while :; do sleep 0.02; done"));
  until_file("up");
  const std::int64_t child = number_in("child");
  const std::uint64_t born = process_start_time(child);
  EXPECT_LT(supervision_.shut_down(), 5);
  EXPECT_EQ(supervision_.told("ended a: signal 9"), 1) << supervision_.text();
  while (process_alive(child, born)) loop_.run(sleep_for(0.01));
}

TEST_F(Processes, AHurryDoesNotWaitForTheBoundOfAStop) {
  Supervisor& supervisor =
      supervision_.add({.name = "s"}, {.name = "a", .stop_within = long_time},
                       shell("trap 'touch asked' TERM; touch up; while :; do sleep 0.02; done"));
  until_file("up");
  supervisor.stop();
  until_file("asked");
  supervisor.hurry();
  loop_.run(supervisor.finished());
  EXPECT_TRUE(supervisor.over());
  EXPECT_EQ(supervision_.told("kill a: in a hurry"), 1) << supervision_.text();
  EXPECT_EQ(supervision_.told("ended a: signal 9"), 1) << supervision_.text();
}

TEST_F(Processes, AHurryKillsWithoutAskingAndNothingIsStartedAgain) {
  Supervisor& supervisor =
      supervision_.add({.name = "s", .back_off = quick}, {.name = "a", .stop_within = long_time},
                       shell("trap '' TERM; touch up; while :; do sleep 0.02; done"));
  until_file("up");
  supervisor.hurry();
  loop_.run(supervisor.finished());
  EXPECT_EQ(supervision_.told("stop a"), 0) << supervision_.text();
  EXPECT_EQ(supervision_.told("kill a"), 1) << supervision_.text();
  EXPECT_EQ(supervision_.told("start a"), 1) << supervision_.text();
  EXPECT_EQ(supervisor.why_gave_up(), "");
}

TEST_F(Processes, WhatALeaderLeavesInItsGroupIsEnded) {
  supervision_.add({.name = "s"}, {.name = "a", .restart = Restart::temporary},
                   shell("sleep 1000 & echo $! > child; exit 0"));
  supervision_.until("done a");
  const std::int64_t child = number_in("child");
  while (process_alive(child, process_start_time(child))) loop_.run(sleep_for(0.01));
}

TEST_F(Processes, AProgramThatIsMissingIsACrashThatSaysSo) {
  supervision_.add(
      {.name = "s", .max_restarts = 0}, {.name = "a"},
      std::make_unique<ProcessExecutor>(loop_.io(), Command{.argv = {"no-such-program"}}));
  supervision_.until("finished s");
  EXPECT_NE(supervision_.text().find("could not be started: no-such-program"), std::string::npos)
      << supervision_.text();
}

class Workers : public Processes {
 protected:
  WorkerParts pulse() {
    return {.service = "pulse",
            .options = {{"period", "0.01"}},
            .on_message = [this](const std::string& text) { messages_.push_back(text); },
            .argv = {CAMPAIGNCTL_PATH, worker_word}};
  }
  // The executor's own, to look into it.
  AsyncProcessExecutor* add(const ServicePolicy& policy) {
    auto executor = std::make_unique<AsyncProcessExecutor>(loop_.io(), pulse());
    AsyncProcessExecutor* const seen = executor.get();
    supervision_.add({.name = "s", .back_off = quick}, policy, std::move(executor));
    supervision_.until("running a");
    return seen;
  }
  std::vector<std::string> messages_;
};

TEST_F(Workers, TellsAndEndsWhenItIsAsked) {
  add({.name = "a"});
  while (messages_.size() < 3) loop_.run(sleep_for(0.01));
  EXPECT_EQ(messages_[1], "beat 2");
  supervision_.shut_down();
  EXPECT_EQ(supervision_.told("ended a: exit code 0"), 1) << supervision_.text();
}

TEST_F(Workers, OneThatIsKilledIsNoticedWhateverItSaid) {
  const AsyncProcessExecutor* const executor = add({.name = "a"});
  kill(static_cast<pid_t>(executor->pid()), SIGKILL);
  supervision_.until("ended a: signal 9");
  supervision_.until("running a", 2);
}

TEST_F(Workers, OneThatHangsIsKilledAfterItsBound) {
  const AsyncProcessExecutor* const executor = add({.name = "a", .stop_within = 0.2});
  kill(static_cast<pid_t>(executor->pid()), SIGSTOP);
  EXPECT_LT(supervision_.shut_down(), 5);
  EXPECT_EQ(supervision_.told("ended a: signal 9"), 1) << supervision_.text();
}

TEST_F(Workers, AnUnknownServiceIsACrashThatSaysSo) {
  WorkerParts parts = pulse();
  parts.service = "nonsense";
  supervision_.add({.name = "s", .max_restarts = 0}, {.name = "a"},
                   std::make_unique<AsyncProcessExecutor>(loop_.io(), std::move(parts)));
  supervision_.until("finished s");
  EXPECT_EQ(supervision_.told("ended a: this program has no service nonsense"), 1)
      << supervision_.text();
}

TEST_F(Workers, OneWhoseParentHasGoneEnds) {
  Wake wake;
  const Command command{.argv = {"sh", "-c",
                                 std::string(R"(echo '{"v":1,"type":"start","text":"pulse"}' | )") +
                                     CAMPAIGNCTL_PATH + " " + worker_word}};
  const RunLimits limits{.timeout = 20, .wake = &wake};
  EXPECT_EQ(loop_.run(run_process(command, limits)).exit_code, 0);
}

TEST(WorkerMessage, IsReadBackAsItWasWritten) {
  const WorkerMessage message{
      .type = "start", .text = "pulse \"x\"\n", .options = {{"a", "1"}, {"b\\", "\t"}}};
  const auto read = decode_worker_message(encode(message));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->type, message.type);
  EXPECT_EQ(read->text, message.text);
  EXPECT_EQ(read->options, message.options);
}

TEST(WorkerMessage, CutAnywhereIsNone) {
  const std::string whole =
      encode({.type = "start", .text = "pulse", .options = {{"period", "1"}}});
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_worker_message(whole.substr(0, size))) << size;
}

TEST(WorkerMessage, AnotherVersionIsNone) {
  EXPECT_FALSE(decode_worker_message(R"({"v":2,"type":"stop"})"));
  EXPECT_FALSE(decode_worker_message(R"({"type":"stop"})"));
}

// Hosts -----------------------------------------------------------------------------------------

std::unique_ptr<Executor> patient(container::test::Loop& loop) {
  return std::make_unique<AsyncExecutor>(loop.io(), [](ServiceContext& context) -> Task<> {
    while (!context.stopping()) co_await context.wait(long_time);
  });
}

TEST_F(Executors, AHostEndsItsSupervisorsInReverse) {
  supervision_.add({.name = "first"}, {.name = "a"}, patient(loop_));
  supervision_.add({.name = "second"}, {.name = "b"}, patient(loop_));
  supervision_.until("running b");
  supervision_.shut_down();
  const std::vector<std::string> end(supervision_.lines.end() - 6, supervision_.lines.end());
  EXPECT_EQ(end,
            (std::vector<std::string>{"stop b: shutdown", "ended b: returned", "finished second",
                                      "stop a: shutdown", "ended a: returned", "finished first"}));
}

TEST_F(Executors, AHostForgetsWhatIsRemovedAndTakesItsNameAgain) {
  supervision_.add({.name = "s"}, {.name = "a"}, patient(loop_));
  EXPECT_THROW(supervision_.add({.name = "s"}, {.name = "a"}, patient(loop_)), std::logic_error);
  loop_.run(supervision_.host().remove("s"));
  EXPECT_EQ(supervision_.host().find("s"), nullptr);
  supervision_.add({.name = "s"}, {.name = "a"}, patient(loop_));
  supervision_.until("running a");
}

}  // namespace
}  // namespace controller::supervise::test
