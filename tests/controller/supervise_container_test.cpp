// Containers as services on the engine of this machine, their logs, and the engine's events.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "container/labels.hpp"
#include "controller/engine_watch.hpp"
#include "controller/supervise/async_executor.hpp"
#include "controller/supervise/persistent_container.hpp"
#include "tests/support/container/real_engine.hpp"
#include "tests/support/controller/cli_fixture.hpp"
#include "tests/support/controller/fake_engine.hpp"
#include "tests/support/controller/supervision.hpp"

namespace controller::supervise::test {
namespace {

using container::sleep_for;
using controller::test::FlakyEngine;

double now() { return campaign::system_clock().boottime(); }

class RealEngineSupervise : public container::test::RealEngine {
 protected:
  void SetUp() override {
    RealEngine::SetUp();
    if (IsSkipped()) return;
    supervision_ = std::make_unique<Supervision>(loop());
  }
  void TearDown() override {
    supervision_.reset();
    RealEngine::TearDown();
  }

  PersistentContainerParts parts(const std::string& script) {
    PersistentContainerParts made{
        .container = {.engine = &engine(),
                      .spec = shell(script),
                      .ours =
                          [this](const std::map<std::string, std::string>& labels) {
                            const auto found = labels.find("campaignctl.test");
                            return found != labels.end() && found->second == unique_;
                          }},
        .supervisor = {.name = "web", .back_off = quick}};
    made.container.spec.init = false;
    return made;
  }
  // How many of this test's are there.
  std::size_t there() { return loop().run(engine().list({{"campaignctl.test", unique_}})).size(); }
  void await_end(const std::string& id) {
    while (loop().run(container::look(engine(), id)).kind == container::Ending::Kind::running)
      loop().run(sleep_for(0.02));
  }
  std::string in_file(const std::string& name) const {
    std::ifstream file(folder_.path() + "/" + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  Supervision& supervision() { return *supervision_; }
  Host& host() { return supervision_->host(); }

  testing::Folder folder_;

 private:
  std::unique_ptr<Supervision> supervision_;
};

constexpr char serve[] = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

TEST_F(RealEngineSupervise, ADeathIsNoticedWithinATenthOfASecondOfTheEnginesEvent) {
  PersistentContainer web(host(), parts(serve));
  ASSERT_TRUE(loop().run(web.serving_within(30)));
  const std::string first = web.id();
  double event_at = 0, noticed_at = 0;
  supervision().on_notice = [&](const Notice& notice) {
    if (notice.step.what == Step::What::ended && noticed_at == 0) noticed_at = now();
  };
  const auto events = loop().run(engine().events({{"campaignctl.test", unique_}}, 0));
  const auto see_death = [&]() -> Task<> {
    while (const auto event = co_await events->next())
      if (event->action == "die") break;
    event_at = now();
  };
  boost::asio::co_spawn(loop().io(), see_death(), [](std::exception_ptr) {});
  loop().run(engine().kill(first, "KILL"));
  supervision().until("ended web: exit code 137");
  while (event_at == 0) loop().run(sleep_for(0.001));
  supervision().on_notice = nullptr;
  EXPECT_LT(noticed_at - event_at, 0.1);
  RecordProperty("noticed_after_ms", static_cast<int>((noticed_at - event_at) * 1000));

  supervision().until("running web", 2);
  EXPECT_NE(web.id(), first);
  EXPECT_EQ(web.incarnation(), 2);
  EXPECT_EQ(there(), 1u) << "the dead one stayed";
}

TEST_F(RealEngineSupervise, OneThatIsRemovedBehindOurBackIsMadeAnew) {
  PersistentContainer web(host(), parts(serve));
  ASSERT_TRUE(loop().run(web.serving_within(30)));
  loop().run(engine().remove(web.id(), true));
  supervision().until("ended web");
  supervision().until("running web", 2);
  EXPECT_EQ(there(), 1u);
}

TEST_F(RealEngineSupervise, OneThatCrashesAgainAndAgainIsGivenUpAndLeavesNothing) {
  PersistentContainerParts crashing = parts("exit 3");
  crashing.supervisor.max_restarts = 2;
  PersistentContainer web(host(), std::move(crashing));
  supervision().until("finished web", 1, 60);
  EXPECT_EQ(supervision().told("ended web: exit code 3"), 3) << supervision().text();
  EXPECT_FALSE(loop().run(web.serving_within(1)));
  EXPECT_EQ(there(), 0u);
}

TEST_F(RealEngineSupervise, OneThatTheEngineRefusesIsGivenUpWithItsReason) {
  PersistentContainerParts refused = parts(serve);
  refused.container.spec.image = "campaignctl-no-such-image";
  refused.supervisor.max_restarts = 1;
  PersistentContainer web(host(), std::move(refused));
  supervision().until("give_up");
  EXPECT_NE(web.last_end().find("No such image"), std::string::npos) << web.last_end();
  EXPECT_EQ(there(), 0u);
}

TEST_F(RealEngineSupervise, AStopIsTermAndThenTheContainerIsGone) {
  PersistentContainer web(host(), parts(serve));
  ASSERT_TRUE(loop().run(web.serving_within(30)));
  supervision().shut_down();
  EXPECT_EQ(supervision().told("ended web: exit code 0"), 1) << supervision().text();
  EXPECT_EQ(there(), 0u);
}

TEST_F(RealEngineSupervise, OneThatIgnoresTermIsKilledAfterItsBound) {
  PersistentContainerParts deaf = parts("trap '' TERM; while :; do sleep 0.05; done");
  deaf.service.stop_within = 0.3;
  PersistentContainer web(host(), std::move(deaf));
  ASSERT_TRUE(loop().run(web.serving_within(30)));
  EXPECT_LT(supervision().shut_down(), 10);
  EXPECT_EQ(supervision().told("kill web"), 1) << supervision().text();
  EXPECT_EQ(there(), 0u);
}

TEST_F(RealEngineSupervise, OneOfOursThatRunsIsTakenOver) {
  const PersistentContainerParts made = parts(serve);
  const std::string id = create(made.container.spec);
  loop().run(engine().start(id));
  PersistentContainer web(host(), parts(serve));
  ASSERT_TRUE(loop().run(web.serving_within(30)));
  EXPECT_EQ(web.id(), id);
  loop().run(engine().kill(id, "KILL"));
  supervision().until("ended web: exit code 137");
  supervision().until("running web", 2);
}

TEST_F(RealEngineSupervise, AForeignOneWithItsNameIsLeftAlone) {
  const std::string id = create(shell(serve));
  loop().run(engine().start(id));
  PersistentContainerParts mine = parts(serve);
  mine.container.ours = [](const auto&) { return false; };
  mine.supervisor.max_restarts = 1;
  PersistentContainer web(host(), std::move(mine));
  supervision().until("finished web");
  EXPECT_NE(supervision().text().find("is there and is not ours"), std::string::npos)
      << supervision().text();
  EXPECT_EQ(loop().run(engine().inspect(id)).status, container::ContainerStatus::running);
}

TEST_F(RealEngineSupervise, OneThatIsKeptIsStartedAgainWithWhatItHad) {
  PersistentContainerParts kept =
      parts("echo x >> /tmp/starts; trap 'exit 0' TERM; while :; do sleep 0.05; done");
  kept.container.after_end = AfterEnd::keep;
  PersistentContainer web(host(), std::move(kept));
  ASSERT_TRUE(loop().run(web.serving_within(30)));
  const std::string id = web.id();
  web.restart();
  supervision().until("running web", 2);
  EXPECT_EQ(web.id(), id);
  supervision().shut_down();
  EXPECT_EQ(loop().run(engine().read_archive(id, "/tmp/starts")), "x\nx\n");
}

TEST_F(RealEngineSupervise, OneThatDoesNotGetReadyIsKilledAndTriedAgain) {
  PersistentContainerParts slow = parts(serve);
  slow.container.ready = [first = true](const std::string&) mutable -> Task<> {
    if (std::exchange(first, false)) throw std::runtime_error("no answer on port 80");
    co_return;
  };
  PersistentContainer web(host(), std::move(slow));
  supervision().until("ended web: no answer on port 80");
  supervision().until("running web");
  EXPECT_EQ(there(), 1u);
}

// Logs ------------------------------------------------------------------------------------------

TEST_F(RealEngineSupervise, ItsWholeOutputIsInTheFileOverADeath) {
  PersistentContainerParts loud =
      parts("i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; echo end; exit 3");
  loud.supervisor.max_restarts = 1;
  loud.log = folder_.path() + "/log";
  PersistentContainer web(host(), std::move(loud));
  supervision().until("finished web");
  loop().run(web.remove());
  std::string once;
  for (int i = 0; i < 500; ++i) once += "line " + std::to_string(i) + "\n";
  once += "end\n";
  const std::string log = in_file("log");
  EXPECT_TRUE(log == once + once) << log.size() << " bytes\n" << supervision().text();
}

// Cuts the stream of logs after every few pieces.
class CuttingEngine : public FlakyEngine {
 public:
  explicit CuttingEngine(container::Engine& inner) : FlakyEngine(inner, Fault::refused, never) {}
  Task<std::unique_ptr<container::OutputStream>> follow_logs(const std::string& id) override {
    ++opened;
    co_return std::make_unique<Cut>(co_await FlakyEngine::follow_logs(id), 20 * opened);
  }
  int opened = 0;

 private:
  static constexpr int never = 1 << 30;
  class Cut : public container::OutputStream {
   public:
    Cut(std::unique_ptr<container::OutputStream> inner, int pieces)
        : inner_(std::move(inner)), pieces_(pieces) {}
    Task<std::optional<container::OutputChunk>> next() override {
      if (pieces_-- == 0) throw container::EngineError(0, "the output was cut");
      co_return co_await inner_->next();
    }

   private:
    std::unique_ptr<container::OutputStream> inner_;
    int pieces_;
  };
};

TEST_F(RealEngineSupervise, ACutLogGoesOnAtTheByteWhereItStood) {
  CuttingEngine cutting(engine());
  std::string expected;
  for (int i = 0; i < 100; ++i)
    expected += "out " + std::to_string(i) + "\nerr " + std::to_string(i) + "\n";
  const std::string id =
      create(shell("i=0; while [ $i -lt 100 ]; do echo out $i; echo err $i; i=$((i+1)); done"));
  LogPump pump({.engine = &cutting, .file = folder_.path() + "/log"});
  supervision().add({.name = "log", .back_off = quick, .max_restarts = std::nullopt},
                    {.name = "pump"},
                    std::make_unique<AsyncExecutor>(loop().io(), pump.body(), Ready::when_told));
  loop().run(engine().start(id));
  pump.follow(id);
  await_end(id);
  loop().run(pump.drained(id, 20));
  EXPECT_GT(cutting.opened, 2);
  EXPECT_EQ(in_file("log"), expected);
  EXPECT_EQ(pump.kept(), static_cast<std::int64_t>(expected.size()));
}

// Leaves the stream of logs open after its first piece, as an engine does that began it just as the
// container ended.
class SilentLogs : public FlakyEngine {
 public:
  explicit SilentLogs(container::Engine& inner) : FlakyEngine(inner, Fault::refused, 1 << 30) {}
  Task<std::unique_ptr<container::OutputStream>> follow_logs(const std::string& id) override {
    co_return std::make_unique<Silent>(co_await FlakyEngine::follow_logs(id));
  }

 private:
  class Silent : public container::OutputStream {
   public:
    explicit Silent(std::unique_ptr<container::OutputStream> inner) : inner_(std::move(inner)) {}
    Task<std::optional<container::OutputChunk>> next() override {
      while (std::exchange(told_, true)) co_await sleep_for(3600);
      co_return co_await inner_->next();
    }

   private:
    std::unique_ptr<container::OutputStream> inner_;
    bool told_ = false;
  };
};

TEST_F(RealEngineSupervise, OutputBehindAStreamThatIsLeftOpenIsReadFromWhatTheEngineStored) {
  SilentLogs silent(engine());
  const std::string id = create(shell("echo one; sleep 0.2; echo two; echo three"));
  LogPump pump({.engine = &silent, .file = folder_.path() + "/log"});
  supervision().add({.name = "log"}, {.name = "pump"},
                    std::make_unique<AsyncExecutor>(loop().io(), pump.body(), Ready::when_told));
  loop().run(engine().start(id));
  pump.follow(id);
  await_end(id);
  loop().run(pump.drained(id, 20));
  EXPECT_EQ(in_file("log"), "one\ntwo\nthree\n");
}

TEST_F(RealEngineSupervise, BeyondItsCapOutputIsDroppedAndTheContainerIsNotStalled) {
  PersistentContainerParts loud = parts("yes 0123456789 | head -c 5000000; exit 0");
  loud.service.restart = Restart::transient;
  loud.log = folder_.path() + "/log";
  loud.log_cap = 1000;
  PersistentContainer web(host(), std::move(loud));
  supervision().until("done web: transient, exit code 0");
  supervision().shut_down();
  const std::string log = in_file("log");
  EXPECT_EQ(log.substr(0, 11), "0123456789\n");
  EXPECT_EQ(log.substr(1000), "\n[campaignctl: output beyond 1000 bytes was dropped]\n");
}

// Events ----------------------------------------------------------------------------------------

TEST_F(RealEngineSupervise, TheEnginesEventsTellOfADeath) {
  std::vector<std::string> ended;
  container::ContainerSpec spec = shell("exit 0");
  spec.labels[container::label::uid] = unique_;
  const std::string id = create(spec);
  watch_engine(
      host(),
      {.engine = &engine(), .uid = unique_, .on_event = [&](const container::EngineEvent& event) {
         if (event.action == "die") ended.push_back(event.id);
       }});
  supervision().until("running events");
  loop().run(engine().start(id));
  while (ended.empty()) loop().run(sleep_for(0.01));
  EXPECT_EQ(ended.front(), id);
  EXPECT_LT(supervision().shut_down(), 2);
  EXPECT_EQ(supervision().told("ended events: returned"), 1) << supervision().text();
}

// Ends its streams of events after one event each, and remembers from when they were asked for.
class ForgetfulEngine : public controller::test::FakeEngine {
 public:
  Task<std::unique_ptr<container::EventStream>> events(const std::map<std::string, std::string>&,
                                                       std::int64_t since_nano) override {
    since.push_back(since_nano);
    if (since.size() == 2) throw container::EngineError(0, "nobody answers");
    co_return std::make_unique<One>(static_cast<std::int64_t>(since.size()) * 100);
  }
  std::vector<std::int64_t> since;

 private:
  class One : public container::EventStream {
   public:
    explicit One(std::int64_t time) : time_(time) {}
    Task<std::optional<container::EngineEvent>> next() override {
      if (std::exchange(told_, true)) co_return std::nullopt;
      co_return container::EngineEvent{.action = "die", .id = "c", .time_nano = time_};
    }

   private:
    std::int64_t time_;
    bool told_ = false;
  };
};

TEST(EngineWatch, GoesOnPastWhatWasSeenAfterABackOff) {
  container::test::Loop loop;
  ForgetfulEngine engine;
  int ended = 0;
  Supervision supervision(loop);
  watch_engine(supervision.host(),
               {.engine = &engine, .uid = "u", .on_event = [&](const auto&) { ++ended; }});
  supervision.until("running events", 2);
  EXPECT_EQ(engine.since, (std::vector<std::int64_t>{0, 101, 101}));
  supervision.until("ended events: the engine's events were cut", 2);
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(supervision.told("ended events: nobody answers"), 1) << supervision.text();
}

}  // namespace
}  // namespace controller::supervise::test
