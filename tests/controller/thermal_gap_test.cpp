// The gap stage on a clock of its own and simulated chips: nothing waits in real time.
#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cmath>

#include "controller/thermal/gate.hpp"
#include "controller/thermal/thermometer.hpp"
#include "tests/support/controller/bench.hpp"
#include "tests/support/controller/gpu_support.hpp"

namespace controller::test {
namespace {

namespace asio = boost::asio;
using campaign::event::GapStarted;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double run_ended = 1000;

class StepClock : public campaign::Clock {
 public:
  double utc() const override { return now + 1.7e9; }
  double boottime() const override { return now; }
  std::int64_t monotonic_ns() const override { return static_cast<std::int64_t>(now * 1e9); }
  std::string boot_id() const override { return boot; }
  double now = run_ended;
  std::string boot = "0f1e2d3c-1111-2222-3333-444455556666";
};

class Notes : public QuietProgress {
 public:
  void note(const std::string& line) override { said.push_back(line); }
  std::vector<std::string> said;
};

// Runs one attempt's gap stage. Each turn of the loop is 50 ms of its clock.
class GapStageOn : public ::testing::Test {
 protected:
  void begin(const std::string& settings, const std::vector<std::string>& gpus) {
    bench_ = std::make_unique<Bench>(
        "name: k\ngpus: none\naxes: {a: [1, 2]}\nrunner: {type: local, command: [x]}\n" + settings +
        "\n");
    context().clock = &clock_;
    context().progress = &notes_;
    context().workers[0].finished_boottime = run_ended;
    for (const std::string& uuid : gpus) context().device_finished[uuid] = run_ended;
    context().temperatures_of = [this](const Attempt&, double) -> Task<thermal::Temperatures> {
      co_return warmth();
    };
    attempt_ = bench_->attempt();
    attempt_->devices = testing::made_devices(gpus);
  }
  RunContext& context() { return bench_->context(); }

  // As a run that started so warm and ended.
  void first_run_at(double celsius, const std::string& sensor = "GPU-a") {
    campaign::event::Starting starting{.run = "other.c01", .attempt = 1, .container_id = "c"};
    starting.gap.celsius[sensor] = celsius;
    context().ledger->append(
        {campaign::event::Claimed{.run = "other.c01", .attempt = 1, .container = "c"}, starting});
  }

  // Cools from `from` at the moment that this is called.
  void cools(double from, double rest, double tau) {
    const double begin = clock_.now;
    celsius_ = [=, this] { return rest + (from - rest) * std::exp((begin - clock_.now) / tau); };
  }

  thermal::Temperatures warmth() {
    ++asked_;
    if (!fault_.empty()) return {.all = {}, .why = fault_};
    thermal::Temperatures read;
    for (const auto& device : attempt_->devices)
      read.all.push_back(
          {.sensor = device.uuid, .label = "GPU " + device.index, .celsius = celsius_()});
    if (read.all.empty())
      read.all.push_back({.sensor = "hwmon.cpu", .label = "cpu", .celsius = celsius_()});
    return read;
  }

  // Seconds that the gap lasted.
  double keep() {
    const double began = clock_.now;
    over_ = false;
    asio::co_spawn(bench_->loop().io(), pass_time(), asio::detached);
    bench_->loop().run(carry_out());
    return clock_.now - began;
  }

  Task<> carry_out() {
    struct Over {
      bool& flag;
      ~Over() { flag = true; }
    } over{over_};
    co_await make_gap_stage()->run(context(), *attempt_);
  }

  Task<> pass_time() {
    while (!over_) {
      clock_.now += 0.05;
      if (each_turn_) each_turn_();
      const std::string shown = text_of(shown_wait(context()), clock_.utc());
      if (seen_.empty() || seen_.back() != shown) seen_.push_back(shown);
      bench_->wake().notify();
      co_await asio::post(bench_->loop().io(), asio::use_awaitable);
    }
  }

  std::vector<std::string> journalled() {
    std::vector<std::string> found;
    campaign::read_journals(bench_->folder() / "journal", {}, [&](campaign::Record&& record) {
      if (const auto* gap = std::get_if<GapStarted>(&record.event))
        found.push_back(gap->reason + " " + std::to_string(std::lround(gap->until.length)));
    });
    return found;
  }

  StepClock clock_;
  Notes notes_;
  std::unique_ptr<Bench> bench_;
  AttemptPtr attempt_;
  std::function<double()> celsius_ = [] { return 40.0; };
  std::function<void()> each_turn_;
  std::string fault_;
  std::vector<std::string> seen_;  // what status shows
  int asked_ = 0;
  bool over_ = false;
};

TEST_F(GapStageOn, AdaptiveEndsWhenTheChipIsInTheBand) {
  begin("", {"GPU-a"});
  first_run_at(42);
  cools(80, 30, 60);
  EXPECT_NEAR(keep(), 60 * std::log(50.0 / 15), 1);
  EXPECT_EQ(attempt_->gap.reason, "in band");
  EXPECT_NEAR(attempt_->gap.seconds, 72.2, 1);
  EXPECT_NEAR(attempt_->gap.celsius.at("GPU-a"), 45, 0.3);
  EXPECT_THAT(journalled(), ElementsAre("adaptive 900"));
  EXPECT_THAT(seen_, ::testing::Contains(HasSubstr("gap: GPU 0 at 71 C, about ")));
  EXPECT_EQ(shown_wait(context()).reason, "");
}

TEST_F(GapStageOn, StatusShowsWhenItIsExpectedToEnd) {
  begin("", {"GPU-a"});
  first_run_at(42);
  cools(80, 30, 60);
  double expected = 0;
  each_turn_ = [&] {
    if (clock_.now >= run_ended + 36 && expected == 0)
      expected = shown_wait(context()).until_utc.value_or(0) - clock_.utc();
  };
  const double lasted = keep();
  EXPECT_NEAR(expected, lasted - 36, 1);
}

TEST_F(GapStageOn, AFixedGapIsCountedDown) {
  begin("execution: {config_gap_seconds: 10}", {});
  keep();
  EXPECT_THAT(seen_, ::testing::IsSupersetOf({"gap, 10 s left", "gap, 6 s left", "gap, 1 s left"}));
}

TEST_F(GapStageOn, WaitOfOneWorkerIsShownUntilItIsOverWhateverOthersDo) {
  begin("execution: {workers: 2}", {});
  {
    const Waiting second(context(), 1, {.reason = "second"});
    {
      const Waiting first(context(), 0, {.reason = "first"});
      EXPECT_EQ(shown_wait(context()).reason, "first");
      context().engine_wait.reason = "engine";
      EXPECT_EQ(shown_wait(context()).reason, "engine") << "nobody gets on without it";
      context().engine_wait = {};
    }
    EXPECT_EQ(shown_wait(context()).reason, "second");
    EXPECT_EQ(waiting_worker(context()), &context().workers[1]);
    const Waiting known(context(), 0, {.reason = "known", .until_utc = 5});
    EXPECT_EQ(shown_wait(context()).reason, "second") << "of which nobody knows the end";
  }
  EXPECT_EQ(shown_wait(context()).reason, "");
}

TEST_F(GapStageOn, TargetOfTheFileHoldsWithoutAFirstRun) {
  begin("thermal: {target_c: 50, band_c: 5}", {"GPU-a"});
  cools(80, 30, 60);
  EXPECT_NEAR(keep(), 60 * std::log(50.0 / 25), 1);
}

TEST_F(GapStageOn, FirstRunWaitsForNothingAndIsTheTarget) {
  begin("", {"GPU-a"});
  context().device_finished.clear();
  EXPECT_LT(keep(), 0.2);
  EXPECT_EQ(attempt_->gap.reason, "first run");
  EXPECT_EQ(attempt_->gap.seconds, 0);
  EXPECT_EQ(attempt_->gap.celsius.at("GPU-a"), 40);
  EXPECT_THAT(journalled(), IsEmpty());
}

TEST_F(GapStageOn, ChipBelowTheBandIsNotWaitedFor) {
  begin("", {"GPU-a"});
  first_run_at(50);
  EXPECT_LT(keep(), 0.2);
  EXPECT_EQ(attempt_->gap.reason, "below band");
  EXPECT_THAT(journalled(), IsEmpty());
}

TEST_F(GapStageOn, ItNeverWaitsPastItsMaximum) {
  begin("thermal: {max_wait: 40}", {"GPU-a"});
  first_run_at(20);
  cools(90, 30, 300);
  clock_.now += 10;
  EXPECT_NEAR(keep(), 30, 0.2) << "counted from the end of the last run";
  EXPECT_EQ(attempt_->gap.reason, "max_wait");
  EXPECT_NEAR(attempt_->gap.seconds, 40, 0.2);
}

TEST_F(GapStageOn, GapCountsFromTheLastRunOnTheSameDevices) {
  begin("thermal: {mode: fixed}", {"GPU-a", "GPU-b"});
  context().device_finished["GPU-b"] = run_ended + 20;
  context().device_finished["GPU-c"] = run_ended + 25;
  clock_.now = run_ended + 30;
  EXPECT_NEAR(keep(), 50, 0.2);
  EXPECT_EQ(attempt_->gap.reason, "fixed");
  EXPECT_NEAR(attempt_->gap.seconds, 60, 0.2);
  EXPECT_EQ(attempt_->gap.celsius.size(), 2U) << "how warm it begins is known of fixed gaps, too";
}

TEST_F(GapStageOn, DevicesThatAnEarlierControllerMayHaveUsedCountFromItsLastRun) {
  begin("thermal: {mode: fixed}", {"GPU-a"});
  context().device_finished.clear();
  context().finished_before = run_ended - 15;
  EXPECT_NEAR(keep(), 45, 0.2);
}

TEST_F(GapStageOn, AFixedGapIsKeptAfterARebootToo) {
  begin("thermal: {mode: fixed}", {"GPU-a"});
  context().device_finished.clear();
  // By the clock of a boot that is younger than the run.
  clock_.now = 20;
  context().finished_before = -15;
  EXPECT_NEAR(keep(), 25, 0.2);
  EXPECT_EQ(attempt_->gap.reason, "fixed");
}

TEST_F(GapStageOn, AFixedGapSaysHowWarmItsRunBegins) {
  begin("thermal: {mode: fixed}", {"GPU-a"});
  cools(80, 30, 10);
  EXPECT_NEAR(keep(), 60, 0.2);
  EXPECT_NEAR(attempt_->gap.celsius.at("GPU-a"), 30.1, 0.2);
}

TEST_F(GapStageOn, WithoutGpusAndWithoutAWordThereIsNone) {
  begin("", {});
  EXPECT_LT(keep(), 0.2);
  EXPECT_EQ(attempt_->gap.reason, "");
  EXPECT_EQ(asked_, 0) << "nothing is read for it";
}

TEST_F(GapStageOn, ProcessorsAreWaitedForWhenTheFileSaysAdaptive) {
  begin("thermal: {mode: adaptive, target_c: 47}", {});
  cools(90, 30, 60);
  EXPECT_NEAR(keep(), 60 * std::log(60.0 / 20), 1);
  EXPECT_EQ(attempt_->gap.celsius.count("hwmon.cpu"), 1U);
}

TEST_F(GapStageOn, WithoutASensorItIsFixedWithANoticeOnce) {
  begin("", {"GPU-a"});
  fault_ = "it did not answer within 5 s";
  clock_.now += 5;
  EXPECT_NEAR(keep(), 55, 0.2);
  EXPECT_EQ(attempt_->gap.reason, "fixed");
  const std::string said = "gap: fixed, as no temperature can be read: " + fault_;
  EXPECT_THAT(notes_.said, ElementsAre(said));
  EXPECT_THAT(attempt_->notes, ElementsAre(said));
  EXPECT_THAT(journalled(), ElementsAre("fixed 60"));
  keep();
  EXPECT_EQ(notes_.said.size(), 1U);
}

TEST_F(GapStageOn, SensorThatIsLostInTheGapMakesTheRestOfItFixed) {
  begin("", {"GPU-a"});
  first_run_at(20);
  cools(90, 30, 300);
  each_turn_ = [this] {
    if (clock_.now > run_ended + 20) fault_ = "reading it: Input/output error";
  };
  EXPECT_NEAR(keep(), 60, 0.2);
  EXPECT_EQ(attempt_->gap.reason, "fixed");
  EXPECT_THAT(journalled(), ElementsAre("adaptive 900", "fixed 60"));
}

TEST_F(GapStageOn, ResumedOneHonoursWhatIsLeft) {
  begin("thermal: {max_wait: 100}", {"GPU-a"});
  first_run_at(20);
  cools(90, 30, 300);
  clock_.now += 70;
  context().resumed_gap = campaign::Deadline{
      .boottime = run_ended + 95, .boot = clock_.boot, .utc = clock_.utc() + 25, .length = 100};
  context().resumed_gap_run = attempt_->run;
  EXPECT_NEAR(keep(), 25, 0.2);
  EXPECT_EQ(attempt_->gap.reason, "max_wait");
  EXPECT_THAT(journalled(), ElementsAre("resumed 100"));
  EXPECT_FALSE(context().resumed_gap);
}

TEST_F(GapStageOn, ResumedFixedGapOfACycleKeepsItsLength) {
  begin("execution: {config_gap_seconds: 10, cycle_gap_seconds: 50}", {});
  context().resumed_gap = campaign::Deadline{
      .boottime = run_ended + 48, .boot = clock_.boot, .utc = clock_.utc() + 48, .length = 50};
  context().resumed_gap_run = attempt_->run;
  EXPECT_NEAR(keep(), 48, 0.2);
  EXPECT_THAT(journalled(), ElementsAre("resumed 50"));
}

TEST_F(GapStageOn, StopReleasesTheRunAtOnce) {
  begin("", {"GPU-a"});
  first_run_at(20);
  cools(90, 30, 300);
  each_turn_ = [this] {
    if (clock_.now > run_ended + 10) bench_->stop().raise(StopLevel::after_run, "test");
  };
  EXPECT_THROW(keep(), ReleasedBeforeStart);
  EXPECT_NEAR(clock_.now, run_ended + 10, 0.5);
  EXPECT_EQ(shown_wait(context()).reason, "");
}

TEST_F(GapStageOn, WrittenCycleGapIsTheLeastOfAnAdaptiveOne) {
  begin("execution: {cycle_gap_seconds: 30}", {"GPU-a"});
  first_run_at(40);
  attempt_->crosses = true;
  EXPECT_NEAR(keep(), 30, 0.3);
  EXPECT_EQ(attempt_->gap.reason, "in band");
}

TEST_F(GapStageOn, ItPollsOnceEachPeriodHoweverOftenItIsWoken) {
  begin("thermal: {max_wait: 40}", {"GPU-a"});
  first_run_at(20);
  cools(90, 30, 300);
  keep();
  EXPECT_GT(asked_, 0.7 * 40 / thermal::poll_seconds);
  EXPECT_LT(asked_, 1.1 * 40 / thermal::poll_seconds);
}

}  // namespace
}  // namespace controller::test
