// Policies of the sequencer on a scripted engine.
#include "controller/sequencer.hpp"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/controller/bench.hpp"
#include "tests/support/controller/fake_engine.hpp"

namespace controller::test {
namespace {

using campaign::FailureClass;
using campaign::RunPhase;
using ::testing::ElementsAre;

std::string campaign_of(const std::string& execution, const std::string& axes = "[1, 2]") {
  return "name: k\ngpus: none\nio: {min_free: 0}\naxes: {a: " + axes +
         "}\nrunner: {image: probe, command: [work]}\nexecution: {structure: interleaved, " +
         execution + "}\n";
}

std::vector<std::string> started(const FakeEngine& engine) {
  std::vector<std::string> names;
  for (const std::string& call : engine.calls)
    if (call.starts_with("create "))
      names.push_back(call.substr(std::string("create cctl-01234567-").size()));
  return names;
}

class Sequence : public ::testing::Test {
 protected:
  SequenceEnd run(const std::string& execution, const std::string& axes = "[1, 2]") {
    bench_ = std::make_unique<Bench>(campaign_of(execution, axes));
    bench_->use(engine_);
    return bench_->run(selected_);
  }
  RunPhase phase(const std::string& id) const { return bench_->state(id).phase; }
  std::vector<std::string> neighbours(const std::string& id) const {
    std::ifstream record(bench_->folder() / "results/raw" / id / "run.json");
    return nlohmann::json::parse(record).at("neighbours");
  }

  FakeEngine engine_;
  std::set<std::size_t> selected_;
  std::unique_ptr<Bench> bench_;
};

TEST_F(Sequence, RunsComeInPlanOrder) {
  run("cycles: 2");
  EXPECT_THAT(started(engine_), ElementsAre("a1.c01-a1", "a2.c01-a1", "a1.c02-a1", "a2.c02-a1"));
  EXPECT_TRUE(engine_.containers.empty());
}

// Each end, and how many runs were complete by the state that followed it.
class EndsAndStates : public QuietProgress {
 public:
  void run_ended(const Ended& ended) override { waiting = ended.run; }
  void tick(const ProgressState& state) override {
    if (!waiting.empty()) said.push_back(waiting + " " + std::to_string(state.completed));
    waiting.clear();
  }
  std::vector<std::string> said;
  std::string waiting;
};

TEST_F(Sequence, EndOfARunIsFollowedByTheStateThatCountsIt) {
  Bench bench(campaign_of("cycles: 2"));
  bench.use(engine_);
  EndsAndStates progress;
  bench.context().progress = &progress;
  bench.run();
  EXPECT_THAT(progress.said, ElementsAre("a1.c01 1", "a2.c01 2", "a1.c02 3", "a2.c02 4"));
}

TEST_F(Sequence, OnlyTheSelectedAreRun) {
  selected_ = {1};
  run("cycles: 2");
  EXPECT_THAT(started(engine_), ElementsAre("a2.c01-a1"));
}

TEST_F(Sequence, EqualFailuresSkipTheOtherCycles) {
  engine_.script = "exit-3";
  const SequenceEnd end = run("cycles: 4, skip_after_failures: 2", "[1]");
  EXPECT_EQ(end.paused, "");
  EXPECT_EQ(phase("k.c02"), RunPhase::failed);
  EXPECT_EQ(phase("k.c03"), RunPhase::skipped);
  EXPECT_EQ(phase("k.c04"), RunPhase::skipped);
}

TEST_F(Sequence, FailuresThatAnEarlierControllerSawCountOn) {
  engine_.script = "exit-3";
  selected_ = {0};
  run("cycles: 4, skip_after_failures: 2", "[1]");
  bench_->run({1});
  EXPECT_EQ(phase("k.c02"), RunPhase::failed);
  EXPECT_EQ(phase("k.c03"), RunPhase::skipped);
}

TEST_F(Sequence, ConfigFailureSkipsAtOnce) {
  engine_.script = "start-fails-127";
  run("cycles: 3", "[1]");
  EXPECT_EQ(phase("k.c01"), RunPhase::failed);
  EXPECT_EQ(phase("k.c02"), RunPhase::skipped);
}

class Notes : public QuietProgress {
 public:
  void note(const std::string& line) override { said.push_back(line); }
  std::vector<std::string> said;
};

TEST_F(Sequence, OneRunIsSkippedAndSeveralAre) {
  engine_.script = "start-fails-127";
  const auto notes = [&](const std::string& execution) {
    Bench bench(campaign_of(execution, "[1]"));
    bench.use(engine_);
    Notes progress;
    bench.context().progress = &progress;
    bench.run();
    return progress.said;
  };
  EXPECT_THAT(notes("cycles: 2"), ::testing::Contains("k: 1 run is skipped (config)"));
  EXPECT_THAT(notes("cycles: 3"), ::testing::Contains("k: 2 runs are skipped (config)"));
}

TEST_F(Sequence, MaxFailuresPauses) {
  engine_.script = "exit-3";
  const SequenceEnd end = run("cycles: 9, skip_after_failures: 0, max_failures: 2", "[1]");
  EXPECT_EQ(end.paused, "execution.max_failures: 2 runs have failed");
  EXPECT_EQ(phase("k.c03"), RunPhase::pending);
}

TEST_F(Sequence, RetryIsAnotherAttemptAtTheEndOfItsCycle) {
  engine_.script = "exit-3";
  run("cycles: 1, skip_after_failures: 0, retries: {payload: 1, backoff_seconds: 0}");
  EXPECT_THAT(started(engine_), ElementsAre("a1.c01-a1", "a2.c01-a1", "a1.c01-a2", "a2.c01-a2"));
  EXPECT_EQ(bench_->state("a1.c01").failures, 2);
}

// What each state said was waited for.
class Waits : public QuietProgress {
 public:
  void tick(const ProgressState& state) override { said.insert(state.wait.reason); }
  std::set<std::string> said;
};

TEST_F(Sequence, ARetryThatIsNotDueYetIsWaitedForInSight) {
  engine_.script = "exit-3";
  Bench bench(campaign_of(
      "cycles: 1, skip_after_failures: 0, retries: {payload: 1, backoff_seconds: 60}", "[1]"));
  bench.use(engine_);
  Sequencer sequencer({.context = &bench.context()});
  Waits waits;
  bench.context().progress = &waits;
  const auto look = [&]() -> Task<> {
    while (!waits.said.contains("retry of k.c01")) {
      waits.tick(sequencer.progress());
      co_await container::sleep_for(0.001);
    }
    bench.stop().raise(StopLevel::after_run, "seen");
  };
  boost::asio::co_spawn(bench.loop().io(), look(), boost::asio::detached);
  bench.loop().run(sequencer.run());
  EXPECT_EQ(shown_wait(bench.context()).reason, "");
}

TEST_F(Sequence, StopReleasesWhatWasNotStarted) {
  bench_ = std::make_unique<Bench>(campaign_of("cycles: 2"));
  bench_->use(engine_);
  bench_->stop().raise(StopLevel::now, "test");
  bench_->run();
  EXPECT_THAT(started(engine_), ::testing::IsEmpty());
  EXPECT_EQ(phase("a1.c01"), RunPhase::pending);
}

// Every start of a container while another of an earlier cycle is there and has not ended.
class BarrierEngine : public FakeEngine {
 public:
  Task<> start(const std::string& id) override {
    const std::string mine = cycle_of(containers.at(id).state.name);
    for (const auto& [other, container] : containers)
      if (cycle_of(container.state.name) < mine &&
          container.state.status != container::ContainerStatus::exited)
        crossed.push_back(containers.at(id).state.name);
    co_await FakeEngine::start(id);
    if (script != "hang") co_return;
    co_await container::sleep_for(id.size() % 2 == 0 ? 0.001 : 0.002);
    finish(id, 0);
  }
  std::vector<std::string> crossed;

 private:
  static std::string cycle_of(const std::string& name) { return name.substr(name.rfind(".c"), 4); }
};

TEST_F(Sequence, WrittenCycleGapIsABarrierForSeveralWorkersThatPrepareAhead) {
  BarrierEngine engine;
  engine.script = "hang";
  bench_ = std::make_unique<Bench>(
      campaign_of("cycles: 4, workers: 2, overlap: always, cycle_gap_seconds: 0.001", "[1, 2, 3]"));
  bench_->use(engine);
  bench_->run();
  EXPECT_THAT(engine.crossed, ::testing::IsEmpty());
  EXPECT_EQ(phase("a3.c04"), RunPhase::completed);
}

// Says that the second container has been started only when the first, which ends meanwhile, is
// gone.
class LateAnswerEngine : public FakeEngine {
 public:
  Task<> start(const std::string& id) override {
    co_await FakeEngine::start(id);
    if (count("start ") < 2) co_return;
    finish("id1", 0);
    while (count("remove id1") == 0) co_await container::sleep_for(0.001);
    finish(id, 0);
  }
};

TEST_F(Sequence, ARunWhoseStartIsUnderWayIsANeighbourAlready) {
  LateAnswerEngine engine;
  engine.script = "hang";
  bench_ = std::make_unique<Bench>(campaign_of("cycles: 1, workers: 2"));
  bench_->use(engine);
  bench_->run();
  EXPECT_THAT(neighbours("a1.c01"), ElementsAre("a2.c01"));
  EXPECT_THAT(neighbours("a2.c01"), ElementsAre("a1.c01"));
}

TEST_F(Sequence, RecoveredRunIsNotDrawnBySomebodyElse) {
  bench_ = std::make_unique<Bench>(campaign_of("cycles: 1, workers: 2", "[1]"));
  bench_->use(engine_);
  AttemptPtr attempt = bench_->attempt();
  bench_->loop().run(bench_->docker().prepare(*attempt));
  Ledger& ledger = *bench_->context().ledger;
  ledger.append(
      {campaign::event::Claimed{.run = "k.c01", .attempt = 1, .container = attempt->container_name},
       campaign::event::Starting{
           .run = "k.c01", .attempt = 1, .container_id = attempt->container_id}});
  attempt->entry = Entry::start_again;
  attempt->resumed = attempt->claimed = attempt->prepared = attempt->started = true;
  SequencerInput input{.context = &bench_->context()};
  input.recovered.push_back(std::move(attempt));
  Sequencer sequencer(std::move(input));
  bench_->loop().run(sequencer.run());
  EXPECT_THAT(started(engine_), ElementsAre("k.c01-a1"));
  EXPECT_EQ(phase("k.c01"), RunPhase::completed);
}

}  // namespace
}  // namespace controller::test
