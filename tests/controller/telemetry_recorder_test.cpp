#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/controller/recorder_fixture.hpp"

namespace controller::telemetry {
namespace {

TEST_F(RecorderTest, ProcessIsRecordedFromBeforeItsStartToAfterItsEnd) {
  const campaign::TelemetryReading reading = recorded();
  EXPECT_EQ(reading.record.status, "complete") << reading.record.reason;
  EXPECT_GE(reading.record.samples, 5u);
  EXPECT_EQ(reading.record.sources.front().kind, "/proc sums");
  EXPECT_THAT(reading.record.sources.back().unavailable, HasSubstr("no processor's sensor"));
  EXPECT_FALSE(telemetry_metrics(reading).empty());
  struct stat status{};
  ASSERT_EQ(::stat((folder_ / "results/telemetry/a.c01.a1.jsonl").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(RecorderTest, ARowIsReadBeforeTheRunMayStart) {
  loop_.run(recorder().begin(attempt()));
  const std::int64_t start = campaign::system_clock().monotonic_ns();
  loop_.run(recorder().started(attempt()));
  rows(2);
  finish();
  std::ifstream file(folder_ / "results/telemetry/a.c01.a1.jsonl");
  std::string header, row;
  std::getline(file, header);
  std::getline(file, row);
  EXPECT_LE(nlohmann::json::parse(row).at(0).get<std::int64_t>(), start) << row;
}

TEST_F(RecorderTest, OneThatIsNotStartedAfterAllLeavesNothing) {
  add_rapl(50);
  loop_.run(recorder().begin(attempt()));
  recorder().drop(attempt());
  EXPECT_TRUE(fs::is_empty(folder_ / "results/telemetry"));
  EXPECT_FALSE(loop_.run(recorder().collect(attempt(), {})));
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0) << "nothing is under way";
}

TEST_F(RecorderTest, WithoutSaveTheFileGoes) {
  settings_.save = false;
  EXPECT_EQ(recorded().record.status, "complete");
  EXPECT_TRUE(fs::is_empty(folder_ / "results/telemetry"));
}

TEST_F(RecorderTest, PilotIsNotSampled) {
  Attempt pilot = attempt();
  pilot.pilot = true;
  loop_.run(recorder().begin(pilot));
  EXPECT_FALSE(loop_.run(recorder().collect(pilot, {})));
  EXPECT_TRUE(supervision_.host().supervisors().empty()) << "no thread";
}

TEST_F(RecorderTest, AttemptThatRanBeforeGoesOnInItsFileAndIsPartial) {
  fs::create_directories(folder_ / "results/telemetry");
  std::ofstream(folder_ / "results/telemetry/a.c01.a1.jsonl") << "{\"telemetry\":1}\n[17,nul";
  Attempt taken_up = attempt();
  taken_up.started = true;
  loop_.run(recorder().begin(taken_up));
  loop_.run(recorder().started(taken_up));
  const auto reading = loop_.run(recorder().collect(taken_up, {}));
  EXPECT_EQ(reading->record.status, "partial");
  std::ifstream file(folder_ / "results/telemetry/a.c01.a1.jsonl");
  std::string line;
  std::getline(file, line);
  std::getline(file, line);
  EXPECT_EQ(line, "[17,nul");
  std::getline(file, line);
  EXPECT_THAT(line, HasSubstr("\"run\":\"a.c01.a1\"")) << "the torn line is ended";
}

TEST_F(RecorderTest, AttemptThatWasSampledToItsEndIsReadAgainAsItIs) {
  add_rapl(50);
  measure_rest();
  start();
  const std::int64_t begin = campaign::system_clock().monotonic_ns();
  rows(5);
  const std::int64_t end = campaign::system_clock().monotonic_ns();
  const campaign::TelemetryReading first = finish();
  fs::create_directories(folder_ / "results/ctl/a.c01.a1");
  std::ofstream(folder_ / "results/ctl/a.c01.a1/outcome.json") << R"({"v":1})";
  const auto size = fs::file_size(folder_ / "results/telemetry/a.c01.a1.jsonl");
  renew();
  Attempt taken_up = attempt();
  taken_up.started = true;
  loop_.run(recorder().begin(taken_up));
  loop_.run(recorder().started(taken_up));
  recorder().ended(taken_up);
  const auto reading = loop_.run(
      recorder().collect(taken_up, {.window = {.begin_ns = begin, .end_ns = end}, .process = {}}));
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->record.status, "complete") << reading->record.reason;
  EXPECT_GE(reading->record.samples, first.record.samples);
  EXPECT_EQ(energy_of(*reading)->baseline_method, "cached");
  EXPECT_EQ(fs::file_size(folder_ / "results/telemetry/a.c01.a1.jsonl"), size);
}

TEST_F(RecorderTest, FolderThatCannotBeWrittenFailsNothing) {
  fs::create_directories(folder_ / "results");
  std::ofstream(folder_ / "results/telemetry") << "a file";
  const campaign::TelemetryReading reading = recorded();
  EXPECT_EQ(reading.record.status, "unavailable");
  EXPECT_THAT(reading.record.reason, HasSubstr("telemetry"));
}

TEST_F(RecorderTest, EnergyIsTheGrowthOfTheCountersLessThePowerAtRest) {
  add_rapl(50);
  ASSERT_DOUBLE_EQ(recorder().seconds_of_rest(devices_), 0.3);
  measure_rest();
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "it is known now";
  const campaign::TelemetryReading reading = recorded(15);
  const double seconds = lasted_ / 2;  // so that some is left of it
  const auto energy = recorder().energy(attempt(), reading, {.seconds = seconds});
  ASSERT_TRUE(energy && energy->raw_j) << energy->reason;
  EXPECT_NEAR(*energy->raw_j, 50 * lasted_, 10 * lasted_);
  EXPECT_NEAR(*energy->baseline_power_w, 50, 5);
  EXPECT_EQ(energy->baseline_method, "fresh");
  EXPECT_NEAR(*energy->adjusted_j, *energy->raw_j - *energy->baseline_power_w * seconds, 1e-9);
  EXPECT_EQ(energy_of(recorded())->baseline_method, "cached");
  EXPECT_TRUE(fs::exists(folder_ / "baseline.json"));
}

TEST_F(RecorderTest, NextControllerUsesThePowerAtRestAgain) {
  add_rapl(50);
  measure_rest();
  renew();
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0);
  EXPECT_EQ(energy_of(recorded())->baseline_method, "cached");
}

TEST_F(RecorderTest, PowerAtRestThatIsTooOldOnlyWhenTheRunEndsServesIt) {
  add_rapl(50);
  measure_rest();
  const campaign::TelemetryReading reading = recorded();
  energy_.baseline.cache_ttl_sec = 0;
  const auto energy = energy_of(reading);
  EXPECT_EQ(energy->baseline_method, "fresh");
  EXPECT_TRUE(energy->adjusted_j) << energy->reason;
}

TEST_F(RecorderTest, PowerAtRestOfAnotherHostOrTooOldIsMeasuredAnew) {
  add_rapl(50);
  measure_rest();
  energy_.baseline.cache_ttl_sec = 0;
  renew();
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0);
  EXPECT_EQ(energy_of(recorded())->baseline_method, "unavailable");
  energy_.baseline.cache_ttl_sec = 3600;
  renew();
  std::ofstream(folder_ / "baseline.json")
      << R"({"v":1,"host":"other","boot":")" << campaign::system_clock().boot_id()
      << R"(","watts":50.0,"utc":)" << std::fixed << campaign::system_clock().utc() << "}";
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0);
}

TEST_F(RecorderTest, PowerAtRestIsNotMeasuredWithoutNeed) {
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "no counters";
  renew();
  add_rapl(50);
  energy_.allow_process_window = false;
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "no run is likely to have energy";
  energy_.enabled = campaign::Energy::Enabled::yes;
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0);
  loop_.run(recorder().begin(attempt()));
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "a run is under way";
  EXPECT_TRUE(loop_.run(recorder().collect(attempt(), {})));
  energy_.baseline.enabled = false;
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0);
}

TEST_F(RecorderTest, RunThatBeginsMeanwhileSpoilsTheMeasurement) {
  add_rapl(50);
  const Attempt other = attempt();
  bool begins = false, begun = false;
  loop_.run(recorder().measure_rest(devices_, [&] {
    if (!std::exchange(begins, true))
      boost::asio::co_spawn(loop_.io(), recorder().begin(other),
                            [&](const auto&) { begun = true; });
    return false;
  }));
  while (!begun) loop_.run(container::sleep_for(0.001));
  EXPECT_FALSE(fs::exists(folder_ / "baseline.json"));
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "it is under way";
  EXPECT_TRUE(loop_.run(recorder().collect(attempt(), {})));
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0) << "the next pause is tried";
}

TEST_F(RecorderTest, RunThatIsMadeReadySpoilsTheMeasurementAndEndsItAtOnce) {
  add_rapl(50);
  energy_.baseline.duration_sec = 3600;
  std::shared_ptr<void> busy;
  loop_.run(recorder().measure_rest(devices_, [&] {
    if (!busy) busy = recorder().busy();
    return false;
  }));
  EXPECT_FALSE(fs::exists(folder_ / "baseline.json"));
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "it is not ready yet";
  busy.reset();
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0);
}

}  // namespace
}  // namespace controller::telemetry
