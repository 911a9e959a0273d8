// The gate against simulated chips that cool by the first order: what it decides, and when.
#include "controller/thermal/gate.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>

namespace controller::thermal {
namespace {

using Why = Decision::Why;

constexpr double never = std::numeric_limits<double>::infinity();
constexpr double max_wait = 900, band = 3;
constexpr double still_window = 60;  // at 1 C a minute

struct Plant {
  double start = 0, rest = 0, tau = 1, target = 0;
  double at(double time) const { return rest + (start - rest) * std::exp(-time / tau); }
  // When it comes to be so cool.
  double time_of(double celsius) const {
    if (start <= celsius) return 0;
    return celsius > rest ? tau * std::log((start - rest) / (celsius - rest)) : never;
  }
  double edge() const { return target + band; }
  // When its fall over the last minute comes below 1 C.
  double still() const {
    const double least = 1 / std::expm1(still_window / tau);
    return std::max(still_window, time_of(rest + least));
  }
};

Plant random_plant(std::mt19937& random) {
  const auto uniform = [&](double from, double to) {
    return std::uniform_real_distribution<>(from, to)(random);
  };
  Plant plant;
  plant.rest = uniform(20, 50);
  plant.start = plant.rest + uniform(1, 60);
  plant.tau = uniform(5, 400);
  plant.target = plant.rest + uniform(-6, 15);
  return plant;
}

GateRules rules_for(const Plant& plant) {
  return {.mode = GateRules::Mode::adaptive,
          .until = max_wait,
          .not_before = 0,
          .band_c = band,
          .stable_c_per_min = 1,
          .chips = {{.label = "GPU 0", .target_c = plant.target}}};
}

struct End {
  double time = 0;
  Why why = Why::waits;
};

// Polls a chip as the gap does, late by up to 20 ms each time, and never beyond the maximum.
template <class Sensor>
End end_of(Gate& gate, Sensor read, std::mt19937& random) {
  std::uniform_real_distribution<> late(0, 0.02);
  for (double time = 0;; time = std::min(time + poll_seconds + late(random), max_wait)) {
    const double celsius = read(time);
    const Decision decision = gate.feed(time, {&celsius, 1});
    if (decision.go()) return {time, decision.why};
    if (time >= max_wait) return {never, Why::waits};
  }
}

TEST(Gate, EndsWithinASecondOfTheTrueCrossing) {
  std::mt19937 random(20261121);
  int in_band = 0, still = 0, at_most = 0;
  for (int i = 0; i < 1000; ++i) {
    const Plant plant = random_plant(random);
    Gate gate(rules_for(plant));
    const End end = end_of(gate, [&](double time) { return plant.at(time); }, random);
    const double truth = std::min({plant.time_of(plant.edge()), plant.still(), max_wait});
    EXPECT_GE(end.time, truth - 1e-9) << i;
    EXPECT_LE(end.time, std::min(truth + 1, max_wait)) << i;
    in_band += end.why == Why::in_band || end.why == Why::below_band;
    still += end.why == Why::stopped_falling;
    at_most += end.why == Why::max_wait;
  }
  EXPECT_GT(in_band, 400);
  EXPECT_GT(still, 50);
  EXPECT_LT(at_most, 10) << "few of these plants fall by 1 C a minute for so long";
}

// What a sensor shows that drops fractions: its last digit changes where the plant passes a whole
// degree.
double shown_in_band(const Plant& plant) { return plant.time_of(std::floor(plant.edge()) + 1); }
double shown_still(const Plant& plant, double window) {
  double last = 0;
  for (double whole = std::floor(plant.start);; --whole) {
    const double next = plant.time_of(whole);
    if (next > last + window) return last + still_window;
    last = next;
  }
}

// With whole degrees the crossing that can be seen is the one of the reading. It comes before the
// plant's own, by the time that the plant takes for less than 1 C, and never after it. A digit that
// changes within a second of the end of a still minute may begin another one, or come too late.
TEST(Gate, OfWholeDegreesEndsWithinASecondOfTheReadingsCrossing) {
  std::mt19937 random(20261122);
  for (int i = 0; i < 1000; ++i) {
    const Plant plant = random_plant(random);
    Gate gate(rules_for(plant));
    const End end = end_of(gate, [&](double time) { return std::floor(plant.at(time)); }, random);
    const double in_band = shown_in_band(plant);
    const double earliest = std::min({in_band, shown_still(plant, still_window - 1), max_wait});
    const double latest = std::min(in_band, shown_still(plant, still_window + 1)) + 1;
    EXPECT_GE(end.time, earliest - 1e-9) << i;
    EXPECT_LE(end.time, std::min(latest, max_wait)) << i;
    if (end.why == Why::in_band) {
      EXPECT_LT(plant.at(end.time), plant.edge() + 1) << i;
      EXPECT_LE(end.time, plant.time_of(plant.edge()) + 1) << i;
    }
    if (end.why == Why::stopped_falling) {
      EXPECT_LT(plant.at(end.time - still_window) - plant.at(end.time), 1 + 0.1) << i;
    }
  }
}

// Noise moves the end by as much as the plant takes to fall by it; a second cannot be promised.
TEST(Gate, OfNoisyWholeDegreesEndsNearTheBandAndNeverBeyondTheMaximum) {
  constexpr double sigma = 0.4;
  std::mt19937 random(20261123);
  std::normal_distribution<> noise(0, sigma);
  for (int i = 0; i < 1000; ++i) {
    const Plant plant = random_plant(random);
    Gate gate(rules_for(plant));
    const auto read = [&](double time) { return std::floor(plant.at(time) + noise(random)); };
    const End end = end_of(gate, read, random);
    EXPECT_LE(end.time, max_wait) << i;
    if (end.why == Why::in_band) {
      EXPECT_LT(plant.at(end.time), plant.edge() + 1 + 4 * sigma) << i;
    }
  }
}

TEST(Gate, SaysHowLongItWillTakeOfChipsThatCoolByTheFirstOrder) {
  std::mt19937 random(20261124);
  int judged = 0, near_by_whole_degrees = 0;
  for (int i = 0; i < 1000; ++i) {
    const Plant plant = random_plant(random);
    const double truth = std::min(plant.time_of(plant.edge()), plant.still());
    if (truth < 20 || truth > max_wait) continue;
    ++judged;
    Gate exact(rules_for(plant)), whole(rules_for(plant));
    Decision of_exact, of_whole;
    double time = 0;
    for (; time < truth / 2; time += poll_seconds) {
      const double celsius = plant.at(time), degrees = std::floor(celsius);
      of_exact = exact.feed(time, {&celsius, 1});
      of_whole = whole.feed(time, {&degrees, 1});
    }
    const double left = truth - (time - poll_seconds);
    EXPECT_NEAR(of_exact.seconds_left, left, 1 + 0.02 * left) << i;
    near_by_whole_degrees += std::abs(of_whole.seconds_left - left) < 10 + 0.5 * left;
  }
  EXPECT_GT(judged, 500);
  EXPECT_GT(near_by_whole_degrees, judged * 7 / 10);
}

TEST(Decay, FindsWhereAChipComesToRestAndHowFast) {
  Decay decay;
  const Plant plant{.start = 80, .rest = 35, .tau = 70, .target = 0};
  for (double time = 0; time < 30; time += poll_seconds) decay.add(time, plant.at(time));
  const auto cooling = decay.fit();
  ASSERT_TRUE(cooling);
  EXPECT_NEAR(cooling->t_inf, 35, 0.1);
  EXPECT_NEAR(cooling->tau, 70, 0.5);
  EXPECT_NEAR(*cooling->seconds_until(40), plant.time_of(40) - 29.75, 0.5);
  EXPECT_FALSE(cooling->seconds_until(34));
  EXPECT_EQ(cooling->seconds_until(90), 0);
}

TEST(Decay, SaysNothingOfAChipThatRestsOrWarms) {
  Decay resting, warming;
  for (double time = 0; time < 60; time += poll_seconds) {
    resting.add(time, 40);
    warming.add(time, 40 + time / 10);
  }
  EXPECT_FALSE(resting.fit());
  EXPECT_FALSE(warming.fit());
}

// One chip with a target of 42 C.
class OneChip : public ::testing::Test {
 protected:
  Decision feed(double time, double celsius) { return gate_.feed(time, {&celsius, 1}); }
  Gate gate_{{.mode = GateRules::Mode::adaptive,
              .until = 900,
              .chips = {{.label = "GPU 1", .target_c = 42}}}};
};

TEST_F(OneChip, BelowTheBandIsNeverWaitedFor) {
  const Decision decision = feed(0, 30);
  EXPECT_EQ(decision.why, Why::below_band);
  EXPECT_EQ(decision.text, "gap: GPU 1 at 30 C, below band");
}

TEST_F(OneChip, AtTheEdgeOfTheBandIsInIt) { EXPECT_EQ(feed(0, 45).why, Why::in_band); }

TEST_F(OneChip, TextSaysHowWarmItIsAndHowLongItTakes) {
  const Decision first = feed(0, 61);
  EXPECT_EQ(first.text, "gap: GPU 1 at 61 C");
  EXPECT_EQ(first.seconds_left, 900);
  EXPECT_EQ(first.end, Wait::End::at_most);
  const Plant plant{.start = 61, .rest = 30, .tau = 60, .target = 42};
  Decision decision;
  for (double time = 0.25; time < 10; time += poll_seconds) decision = feed(time, plant.at(time));
  EXPECT_EQ(decision.text, "gap: GPU 1 at 56 C");
  EXPECT_EQ(decision.end, Wait::End::forecast);
  EXPECT_NEAR(decision.seconds_left, plant.time_of(45) - 9.75, 0.5);
}

TEST_F(OneChip, OneOddReadingOpensNothing) {
  for (double time = 0; time < 5; time += poll_seconds) EXPECT_FALSE(feed(time, 60).go());
  EXPECT_FALSE(feed(5, 0).go());
  EXPECT_FALSE(feed(5.25, 60).go());
  EXPECT_FALSE(feed(5.5, 60).go());
  EXPECT_FALSE(feed(5.75, 40).go());
  EXPECT_EQ(feed(6, 40).why, Why::in_band);
}

TEST_F(OneChip, ThatIsNotReadIsWaitedForAtMost) {
  const double nan = std::nan("");
  const Decision first = feed(0, nan);
  EXPECT_EQ(first.text, "gap");
  EXPECT_EQ(first.seconds_left, 900);
  EXPECT_EQ(first.end, Wait::End::at_most);
  EXPECT_EQ(feed(899, nan).why, Why::waits);
  EXPECT_EQ(feed(900, nan).why, Why::max_wait);
}

TEST_F(OneChip, ThatCoolsTooSlowlyIsWaitedForAtMost) {
  Decision decision;
  for (double time = 0; !decision.go(); time += poll_seconds)
    decision = feed(time, 90 - time * 1.2 / 60);
  EXPECT_EQ(decision.why, Why::max_wait);
  EXPECT_EQ(decision.text, "gap: GPU 1 at 72 C, max_wait");
}

TEST_F(OneChip, ThatWarmsHasStoppedFalling) {
  Decision decision;
  double time = 0;
  for (; !decision.go(); time += poll_seconds) decision = feed(time, 60 + time / 10);
  EXPECT_EQ(decision.why, Why::stopped_falling);
  EXPECT_NEAR(time, 60, 1);
}

TEST(Gate, WaitsForTheSlowestOfItsChips) {
  Gate gate({.mode = GateRules::Mode::adaptive,
             .until = 900,
             .chips = {{.label = "GPU 0", .target_c = 40}, {.label = "GPU 1", .target_c = 40}}});
  const auto feed = [&](double time, double first, double second) {
    const std::array<double, 2> celsius = {first, second};
    return gate.feed(time, celsius);
  };
  EXPECT_EQ(feed(0, 30, 60).text, "gap: GPU 1 at 60 C");
  feed(0.25, 30, 43);
  const Decision decision = feed(0.5, 30, 43);
  EXPECT_EQ(decision.why, Why::in_band);
  EXPECT_EQ(decision.text, "gap: GPU 1 at 43 C, in band");
}

TEST(Gate, OfAChipWithoutATargetWaitsUntilItHasStoppedFalling) {
  Gate gate({.mode = GateRules::Mode::adaptive, .until = 900, .chips = {{.label = "GPU 0"}}});
  const double warm = 50;
  EXPECT_FALSE(gate.feed(0, {&warm, 1}).go());
  EXPECT_FALSE(gate.feed(59, {&warm, 1}).go());
  EXPECT_EQ(gate.feed(60, {&warm, 1}).why, Why::stopped_falling);
}

TEST(Gate, WithoutALimitNothingHasStoppedFalling) {
  Gate gate({.mode = GateRules::Mode::adaptive,
             .until = 900,
             .stable_c_per_min = 0,
             .chips = {{.label = "GPU 0", .target_c = 20}}});
  const double warm = 50;
  for (double time = 0; time < 900; time += 10) EXPECT_FALSE(gate.feed(time, {&warm, 1}).go());
  EXPECT_EQ(gate.feed(900, {&warm, 1}).why, Why::max_wait);
}

TEST(Gate, DoesNotOpenBeforeItsEarliestEnd) {
  Gate gate({.mode = GateRules::Mode::adaptive,
             .until = 900,
             .not_before = 30,
             .chips = {{.label = "GPU 0", .target_c = 40}}});
  const double cool = 30;
  EXPECT_EQ(gate.feed(10, {&cool, 1}).seconds_left, 20);
  EXPECT_EQ(gate.feed(30, {&cool, 1}).why, Why::below_band);
}

TEST(Gate, ThatIsFixedAsksNobody) {
  Gate gate({.mode = GateRules::Mode::fixed, .until = 60});
  const Decision decision = gate.feed(18, {});
  EXPECT_EQ(decision.text, "gap");
  EXPECT_EQ(decision.seconds_left, 42);
  EXPECT_EQ(decision.end, Wait::End::known);
  EXPECT_EQ(gate.feed(60, {}).why, Why::fixed);
}

}  // namespace
}  // namespace controller::thermal
