// Which gap a campaign file asks for.
#include "controller/thermal/rules.hpp"

#include <gtest/gtest.h>

#include "tests/support/controller/bench.hpp"

namespace controller::thermal {
namespace {

using Kind = GapRules::Kind;

enum class Has { no_gpu, gpus };
enum class Where { within, crossing };

GapRules rules_of(const std::string& settings, Has has, Where where = Where::within) {
  const test::Bench bench(
      "name: k\ngpus: none\naxes: {a: [1]}\nrunner: {type: local, command: [x]}\n" + settings +
      "\n");
  return gap_before({.campaign = bench.payload().campaign,
                     .crosses = where == Where::crossing,
                     .devices = has == Has::gpus});
}

const GapRules none;
GapRules fixed(double seconds) { return {.kind = Kind::fixed, .length = seconds}; }
GapRules adaptive(double most, double least = 0) {
  return {.kind = Kind::adaptive, .length = most, .least = least};
}

TEST(GapRules, WithoutAWordAreAdaptiveForGpusAndNoneWithout) {
  EXPECT_EQ(rules_of("", Has::gpus), adaptive(900));
  EXPECT_EQ(rules_of("", Has::no_gpu), none);
}

TEST(GapRules, AreAsTheModeSays) {
  EXPECT_EQ(rules_of("thermal: {mode: adaptive, max_wait: 5m}", Has::no_gpu), adaptive(300));
  EXPECT_EQ(rules_of("thermal: {mode: fixed}", Has::gpus), fixed(60));
  EXPECT_EQ(rules_of("thermal: {mode: fixed}", Has::no_gpu), fixed(60));
  EXPECT_EQ(rules_of("thermal: {mode: off}", Has::gpus), none);
}

TEST(GapRules, ThatExecutionWritesAreFixed) {
  EXPECT_EQ(rules_of("execution: {config_gap_seconds: 20}", Has::gpus), fixed(20));
  EXPECT_EQ(rules_of("execution: {experiment_gap_seconds: 20}", Has::gpus), fixed(20));
  EXPECT_EQ(rules_of("execution: {config_gap_seconds: 0}", Has::gpus), none);
  EXPECT_EQ(rules_of("execution: {config_gap_seconds: 20}\nthermal: {mode: adaptive}", Has::gpus),
            fixed(20));
  EXPECT_EQ(rules_of("execution: {config_gap_seconds: 20}\nthermal: {mode: off}", Has::gpus), none);
}

TEST(GapRules, WhereACycleBeginsTheLargerCounts) {
  const std::string both = "execution: {config_gap_seconds: 20, cycle_gap_seconds: 50}";
  EXPECT_EQ(rules_of(both, Has::no_gpu), fixed(20));
  EXPECT_EQ(rules_of(both, Has::no_gpu, Where::crossing), fixed(50));
  const std::string cycle = "execution: {cycle_gap_seconds: 20}";
  EXPECT_EQ(rules_of(cycle, Has::no_gpu), none);
  EXPECT_EQ(rules_of(cycle, Has::no_gpu, Where::crossing), fixed(20));
  EXPECT_EQ(rules_of(cycle + "\nthermal: {mode: fixed}", Has::no_gpu, Where::crossing), fixed(60));
  EXPECT_EQ(rules_of(cycle, Has::gpus, Where::crossing), adaptive(900, 20));
  EXPECT_EQ(rules_of("execution: {cycle_gap_seconds: 20m}", Has::gpus, Where::crossing),
            adaptive(1200, 1200));
}

TEST(GapRules, WithoutASensorAreFixedAndNoLongerThanTheMaximum) {
  EXPECT_EQ(without_sensor(adaptive(900)), fixed(60));
  EXPECT_EQ(without_sensor(adaptive(30)), fixed(30));
  EXPECT_EQ(without_sensor(adaptive(900, 120)), fixed(120));
  EXPECT_EQ(without_sensor(fixed(7)), fixed(7));
  EXPECT_EQ(without_sensor(none), none);
}

}  // namespace
}  // namespace controller::thermal
