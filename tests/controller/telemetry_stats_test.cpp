// Counters by the engine's stats API: an engine of the test's own, then the real one with a
// recorder that finds no control groups.
#include "controller/telemetry/engine_stats.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "campaign/state/files.hpp"
#include "controller/telemetry/recorder.hpp"
#include "tests/support/container/loop.hpp"
#include "tests/support/container/real_engine.hpp"
#include "tests/support/controller/allocations.hpp"
#include "tests/support/controller/fake_engine.hpp"
#include "tests/support/controller/supervision.hpp"

namespace controller::telemetry {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

// Stands still until it is set.
class SetClock : public campaign::Clock {
 public:
  double now = 100;
  double utc() const override { return now; }
  double boottime() const override { return now; }
  std::int64_t monotonic_ns() const override { return static_cast<std::int64_t>(now * 1e9); }
  std::string boot_id() const override { return "b"; }
};

// A container of an engine that is asked without a pause; `rounds_` answers, then a stop.
class EngineStatsTest : public ::testing::Test {
 protected:
  EngineStatsTest() : context_([] {}) {
    engine_.script = "hang";
    id_ = loop_.run(engine_.create({.name = "c", .image = "i"}));
    loop_.run(engine_.start(id_));
    engine_.counted = {.cpu_seconds = 1.5, .memory_bytes = 4096, .pids = 2};
    stats_ = open_engine_stats({.engine = &engine_,
                                .container = id_,
                                .source = "payload",
                                .clock = &clock_,
                                .on_answer = [this] { answered(); },
                                .seconds_between = 0});
  }
  void answered() {
    if (++answers_ == rounds_) context_.request_stop();
  }
  void ask() { loop_.run(stats_.asking(context_)); }
  int read() {
    values_.fill(std::numeric_limits<double>::quiet_NaN());
    return stats_.found.sensor->read(values_);
  }

  container::test::Loop loop_;
  test::FakeEngine engine_;
  SetClock clock_;
  supervise::ServiceContext context_;
  std::string id_;
  EngineStats stats_;
  std::array<double, payload_columns> values_ = {};
  int answers_ = 0, rounds_ = 1;
};

TEST_F(EngineStatsTest, AnswerGoesToOneRowOnlyAndWhatTheEngineDoesNotTellIsUnknown) {
  EXPECT_EQ(read(), 0);
  EXPECT_TRUE(std::isnan(values_[cpu_seconds])) << "nothing has come yet";
  ask();
  ASSERT_EQ(read(), 0);
  EXPECT_EQ(values_[cpu_seconds], 1.5);
  EXPECT_EQ(values_[memory_bytes], 4096);
  EXPECT_EQ(values_[pids], 2);
  EXPECT_TRUE(std::isnan(values_[memory_max_bytes]));
  EXPECT_TRUE(std::isnan(values_[net_rx_bytes]));
  ASSERT_EQ(read(), 0);
  EXPECT_TRUE(std::isnan(values_[cpu_seconds])) << "a row of the past is no reading of now";
}

TEST_F(EngineStatsTest, ReadingAllocatesNothing) {
  if (!testing::allocations_are_counted) GTEST_SKIP() << "sanitizers allocate by themselves";
  ask();
  const std::size_t before = testing::allocations_of_this_thread();
  const int failure = read();
  EXPECT_EQ(testing::allocations_of_this_thread(), before);
  EXPECT_EQ(failure, 0);
}

TEST_F(EngineStatsTest, AnswerThatNobodyTookForThreeSecondsIsGivenToNobody) {
  ask();
  clock_.now += 3.1;
  EXPECT_EQ(read(), ENODATA);
  EXPECT_TRUE(std::isnan(values_[cpu_seconds]));
}

TEST_F(EngineStatsTest, EngineThatIsAwayIsAskedAgain) {
  engine_.unreachable_calls = 3;
  ask();
  EXPECT_EQ(engine_.count("stats"), 4);
  EXPECT_EQ(read(), 0);
  EXPECT_EQ(values_[cpu_seconds], 1.5);
}

TEST_F(EngineStatsTest, ContainerThatHasEndedIsAskedForNoMore) {
  engine_.finish(id_, 0);
  ask();
  EXPECT_EQ(engine_.count("stats"), 1);
  EXPECT_EQ(read(), ESRCH);
}

TEST_F(EngineStatsTest, ContainerThatIsGoneIsAskedForNoMore) {
  engine_.containers.clear();
  ask();
  EXPECT_EQ(engine_.count("stats"), 1);
  EXPECT_EQ(read(), ESRCH);
}

TEST_F(EngineStatsTest, ColumnsAreThoseOfEveryPayloadAtASlowerPace) {
  const auto plain = columns_of("payload", Counts::from_zero);
  ASSERT_EQ(stats_.found.columns.size(), plain.size());
  EXPECT_EQ(stats_.found.columns[memory_bytes].name, plain[memory_bytes].name);
  EXPECT_EQ(stats_.found.columns[memory_bytes].interval_ms, 1500);
  EXPECT_EQ(stats_.found.source.kind, "engine stats API");
  EXPECT_FALSE(stats_.found.source.seen_here());
}

// No control group is to be seen below the recorder's /sys.
class RealEngineStats : public container::test::RealEngine {
 protected:
  RealEngineStats() : supervision_(loop()) {
    std::string path = ::testing::TempDir() + "stats-XXXXXX";
    folder_ = mkdtemp(path.data());
    fs::create_directories(folder_ / "sys");
  }
  void SetUp() override {
    RealEngine::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    settings_.sources = {"payload"};
    recorder_ = std::make_unique<Recorder>(RecorderParts{.settings = &settings_,
                                                         .energy = &energy_,
                                                         .baseline_file = folder_ / "b.json",
                                                         .host_name = "h",
                                                         .clock = &campaign::system_clock(),
                                                         .results = {folder_ / "results"},
                                                         .engine = &engine(),
                                                         .host = &supervision_.host(),
                                                         .wake = &wake_,
                                                         .roots = {.sys = folder_ / "sys"}});
  }
  void TearDown() override {
    recorder_.reset();
    supervision_.end();
    fs::remove_all(folder_);
    RealEngine::TearDown();
  }
  Attempt begun(const std::string& script) {
    Attempt attempt;
    attempt.run = "a.c01";
    attempt.container_name = unique_;
    attempt.container_id = create(shell(script));
    loop().run(recorder_->begin(attempt));
    loop().run(engine().start(attempt.container_id));
    loop().run(recorder_->started(attempt));
    return attempt;
  }
  std::size_t rows_with_values() {
    std::size_t count = 0;
    std::istringstream lines(campaign::read_file(file()));
    for (std::string line; std::getline(lines, line);) {
      const auto row = nlohmann::json::parse(line, nullptr, false);
      count += row.is_array() && row.size() > 2 && row[2].is_number();
    }
    return count;
  }
  fs::path file() const { return folder_ / "results/telemetry/a.c01.a1.jsonl"; }

  supervise::test::Supervision supervision_;
  Wake wake_;
  fs::path folder_;
  campaign::Telemetry settings_;
  campaign::Energy energy_;
  std::unique_ptr<Recorder> recorder_;
};

std::optional<double> metric(const campaign::TelemetryReading& reading, const std::string& name) {
  for (const auto& each : campaign::telemetry_metrics(reading))
    if (each.name == name) return each.value;
  return std::nullopt;
}

TEST_F(RealEngineStats, ContainerWithoutAVisibleGroupHasItsFiguresFromTheEngine) {
  const Attempt attempt = begun("while :; do :; done");
  loop().run(container::sleep_for(4.5));  // the time that is measured
  recorder_->ended(attempt);
  const auto reading = *loop().run(recorder_->collect(attempt, {}));
  const campaign::TelemetrySource& source = reading.record.sources.at(0);
  EXPECT_EQ(source.kind, "engine stats API");
  EXPECT_EQ(source.unavailable, "");
  EXPECT_EQ(reading.record.status, "complete") << reading.record.reason;
  EXPECT_THAT(rows_with_values(), AllOf(Ge(3u), Le(6u))) << "once a second, not at each tick";
  EXPECT_THAT(metric(reading, "cpu_seconds").value_or(-1), AllOf(Ge(0.3), Le(5.5)));
  EXPECT_THAT(metric(reading, "cpu_util_peak_pct").value_or(-1), AllOf(Ge(5.0), Le(150.0)));
  EXPECT_GT(metric(reading, "memory_peak_bytes").value_or(-1), 0);
  EXPECT_EQ(metric(reading, "net_rx_bytes"), std::nullopt) << "it has no network";
}

TEST_F(RealEngineStats, ContainerThatEndsMeanwhileFailsNothing) {
  const Attempt attempt = begun("sleep 60");
  loop().run(engine().kill(attempt.container_id, "KILL"));
  ended(attempt.container_id);
  recorder_->ended(attempt);
  const auto reading = *loop().run(recorder_->collect(attempt, {}));
  EXPECT_EQ(reading.record.status, "complete") << reading.record.reason;
  EXPECT_EQ(reading.record.sources.at(0).unavailable, "");
  EXPECT_EQ(supervision_.host().supervisors().size(), 1u) << "the sampler's alone";
}

}  // namespace
}  // namespace controller::telemetry
