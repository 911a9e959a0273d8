// The sampler's thread with sensors of the test's own.
#include "controller/telemetry/sampler.hpp"

#include <gmock/gmock.h>

#include <cerrno>
#include <functional>
#include <latch>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/controller/allocations.hpp"

namespace controller::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;

class FakeSensor : public Sensor {
 public:
  using Reading = std::function<int(std::span<double>)>;
  explicit FakeSensor(Reading reading) : reading_(std::move(reading)) {}
  int read(std::span<double> values) override { return reading_(values); }

 private:
  Reading reading_;
};

SensorPtr sensor(FakeSensor::Reading reading) {
  return std::make_shared<FakeSensor>(std::move(reading));
}

SensorPtr constant(double value) {
  return sensor([value](std::span<double> values) {
    values[0] = value;
    return 0;
  });
}

TrackPtr track_of(const std::vector<SensorPtr>& sensors, std::size_t rows = 1000) {
  auto track = std::make_shared<Track>(rows, sensors.size());
  for (std::size_t i = 0; i < sensors.size(); ++i)
    track->places.push_back({.sensor = sensors[i], .first = i, .columns = 1});
  return track;
}

// A sampler with a thread, and rows as lists of what they hold behind time and lateness.
class SamplerThread : public ::testing::Test {
 protected:
  explicit SamplerThread(int interval_ms = 10)
      : sampler_(std::make_shared<Sampler>(interval_ms, campaign::system_clock())) {}
  ~SamplerThread() override {
    for (std::jthread& thread : threads_) thread.request_stop();
  }
  void start() {
    threads_.emplace_back(
        [sampler = sampler_](const std::stop_token& stop) { sampler->run(stop); });
  }
  static void await(const std::function<bool()>& condition) {
    const auto begin = std::chrono::steady_clock::now();
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now() - begin, std::chrono::minutes(1));
      std::this_thread::yield();
    }
  }
  void close(const TrackPtr& track) {
    sampler_->close(*track);
    await([&] { return sampler_->closed(*track); });
  }
  static nlohmann::json rows_of(Track& track) {
    std::string lines;
    track.ring.take(lines);
    nlohmann::json rows = nlohmann::json::array();
    for (std::size_t at = 0; at < lines.size();) {
      const std::size_t end = lines.find('\n', at);
      rows.push_back(nlohmann::json::parse(lines.substr(at, end - at)));
      at = end + 1;
    }
    return rows;
  }

  std::shared_ptr<Sampler> sampler_;
  std::vector<std::jthread> threads_;
};

TEST_F(SamplerThread, ReadsARowWhenATrackComesAndWhenItCloses) {
  start();
  const TrackPtr track = track_of({constant(7)});
  sampler_->add(track);
  close(track);
  const auto rows = rows_of(*track);
  ASSERT_THAT(rows.size(), Ge(1u));
  for (const auto& row : rows) EXPECT_EQ(row.at(2), 7);
  EXPECT_TRUE(rows.back().at(1).is_null()) << "the last row is read between ticks";
}

TEST_F(SamplerThread, TicksStandOnAGridOfTheMonotonicClock) {
  start();
  const TrackPtr track = track_of({constant(7)});
  sampler_->add(track);
  await([&] { return track->ring.size() > 20; });
  close(track);
  std::optional<std::int64_t> before;
  for (const auto& row : rows_of(*track)) {
    if (row.at(1).is_null()) continue;
    const std::int64_t due = row.at(0).get<std::int64_t>() - row.at(1).get<std::int64_t>();
    EXPECT_GE(row.at(1), 0);
    if (before) EXPECT_EQ((due - *before) % 10'000'000, 0);
    if (before) EXPECT_GT(due, *before);
    before = due;
  }
  EXPECT_TRUE(before);
}

TEST_F(SamplerThread, AllocatesNothingPerSample) {
  if (!testing::allocations_are_counted) GTEST_SKIP() << "a sanitizer allocates by itself";
  start();
  std::vector<std::size_t> counts;
  counts.reserve(4096);
  const TrackPtr track = track_of({sensor([&](std::span<double> values) {
    if (counts.size() < counts.capacity()) counts.push_back(testing::allocations_of_this_thread());
    values[0] = 1;
    return 0;
  })});
  sampler_->add(track);
  await([&] { return track->ring.size() > 30; });
  close(track);
  ASSERT_THAT(counts.size(), Ge(30u));
  EXPECT_EQ(counts.back(), counts.front());
}

TEST_F(SamplerThread, SlowSensorMakesTicksLateAndSkipsThem) {
  start();
  std::atomic<int> reads = 0;
  const TrackPtr track = track_of({sensor([&](std::span<double>) {
    if (++reads == 3) std::this_thread::sleep_for(std::chrono::milliseconds(55));
    return 0;
  })});
  sampler_->add(track);
  await([&] { return reads > 8; });
  close(track);
  std::int64_t longest = 0;
  std::optional<std::int64_t> before;
  for (const auto& row : rows_of(*track)) {
    if (row.at(1).is_null()) continue;
    const std::int64_t due = row.at(0).get<std::int64_t>() - row.at(1).get<std::int64_t>();
    if (before) longest = std::max(longest, due - *before);
    before = due;
  }
  EXPECT_GE(longest, 50'000'000) << "ticks that were missed leave no rows";
}

TEST_F(SamplerThread, SensorThatFailsLeavesItsColumnsUnknown) {
  start();
  const TrackPtr track = track_of({sensor([](std::span<double> values) {
                                     values[0] = 9;
                                     return EIO;
                                   }),
                                   constant(3)});
  sampler_->add(track);
  close(track);
  const auto row = rows_of(*track).back();
  EXPECT_TRUE(row.at(2).is_null());
  EXPECT_EQ(row.at(3), 3);
  EXPECT_EQ(sampler_->place(*track, 0).failure, EIO);
  EXPECT_EQ(sampler_->place(*track, 1).failure, 0);
}

TEST_F(SamplerThread, SensorThatJoinsIsReadFromThenOn) {
  start();
  const TrackPtr track = track_of({nullptr, constant(3)});
  sampler_->add(track);
  await([&] { return track->ring.size() > 2; });
  sampler_->join(*track, 0, constant(8));
  close(track);
  const auto rows = rows_of(*track);
  EXPECT_TRUE(rows.front().at(2).is_null());
  EXPECT_EQ(rows.back().at(2), 8);
}

TEST_F(SamplerThread, FullRingLosesRowsAndCountsThem) {
  start();
  const TrackPtr track = track_of({constant(1)}, 4);
  sampler_->add(track);
  await([&] { return track->ring.lost() > 2; });
  close(track);
  EXPECT_EQ(rows_of(*track).size(), 4u);
}

TEST_F(SamplerThread, SensorThatHangsIsGivenUpAndTheOthersGoOn) {
  start();
  std::latch come_back(1);
  std::atomic<bool> hangs = false;
  std::atomic<int> seen_late = 0;
  const TrackPtr track = track_of({sensor([&](std::span<double> values) {
                                     if (hangs.exchange(true)) ++seen_late;
                                     come_back.wait();
                                     values[0] = 5;
                                     return 0;
                                   }),
                                   constant(3)});
  sampler_->add(track);
  await([&] { return hangs.load(); });
  sampler_->give_up_what_hangs();
  EXPECT_TRUE(sampler_->give_up_what_hangs());
  EXPECT_TRUE(sampler_->place(*track, 0).hung);
  start();
  await([&] { return track->ring.size() > 5; });
  EXPECT_FALSE(sampler_->give_up_what_hangs() && sampler_->give_up_what_hangs());
  come_back.count_down();
  threads_.front().join();
  close(track);
  for (const auto& row : rows_of(*track)) {
    EXPECT_TRUE(row.at(2).is_null());
    EXPECT_EQ(row.at(3), 3);
  }
  EXPECT_EQ(seen_late, 0) << "a sensor that hung is never asked again";
}

TEST_F(SamplerThread, ForgottenTrackIsReadNoMore) {
  start();
  const TrackPtr track = track_of({constant(1)});
  sampler_->add(track);
  await([&] { return track->ring.size() > 2; });
  sampler_->forget(*track);
  rows_of(*track);
  const TrackPtr other = track_of({constant(2)});
  sampler_->add(other);
  await([&] { return other->ring.size() > 5; });
  EXPECT_THAT(rows_of(*track), IsEmpty());
  close(other);
}

TEST_F(SamplerThread, WithoutTracksNothingIsRead) {
  start();
  std::atomic<int> reads = 0;
  const TrackPtr track = track_of({sensor([&](std::span<double>) { return ++reads, 0; })});
  sampler_->add(track);
  close(track);
  const int before = reads;
  const TrackPtr other = track_of({constant(2)});
  sampler_->add(other);
  await([&] { return other->ring.size() > 3; });
  EXPECT_EQ(reads, before);
  close(other);
}

}  // namespace
}  // namespace controller::telemetry
