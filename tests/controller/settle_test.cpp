#include "controller/settle.hpp"

#include <gtest/gtest.h>

namespace controller {
namespace {

using campaign::FailureClass;

TEST(DecideRetry, OnlyWrittenClassesAreRetriedAndSoOften) {
  const campaign::Retries retries;
  EXPECT_TRUE(decide_retry(retries, FailureClass::infra, 0).retry);
  EXPECT_TRUE(decide_retry(retries, FailureClass::infra, 1).retry);
  EXPECT_FALSE(decide_retry(retries, FailureClass::infra, 2).retry);
  EXPECT_FALSE(decide_retry(retries, FailureClass::payload, 0).retry);
}

TEST(DecideRetry, ContaminatedIsAlwaysDoneAgainAfterABackoff) {
  const campaign::Retries retries;
  EXPECT_TRUE(decide_retry(retries, FailureClass::contaminated, 7).retry);
  EXPECT_EQ(decide_retry(retries, FailureClass::contaminated, 1).backoff, 60);
}

TEST(DecideRetry, ConfigIsNeverRetried) {
  campaign::Retries retries;
  retries.by_class = {{"config", 5}};
  EXPECT_FALSE(decide_retry(retries, FailureClass::config, 0).retry);
}

TEST(DecideRetry, BackoffDoublesUpToItsLimit) {
  campaign::Retries retries;
  retries.by_class = {{"payload", 2000}};
  EXPECT_EQ(decide_retry(retries, FailureClass::payload, 0).backoff, 30);
  EXPECT_EQ(decide_retry(retries, FailureClass::payload, 1).backoff, 60);
  EXPECT_EQ(decide_retry(retries, FailureClass::payload, 3).backoff, 240);
  EXPECT_EQ(decide_retry(retries, FailureClass::payload, 4).backoff, 300);
  EXPECT_EQ(decide_retry(retries, FailureClass::payload, 1999).backoff, 300);
  retries.backoff_seconds = 0;
  EXPECT_EQ(decide_retry(retries, FailureClass::payload, 1999).backoff, 0);
}

TEST(FailureStreaks, EqualFailuresInARowCount) {
  FailureStreaks streaks;
  EXPECT_EQ(streaks.add({0, FailureClass::payload, 3}), 1);
  EXPECT_EQ(streaks.add({0, FailureClass::payload, 3}), 2);
  EXPECT_EQ(streaks.add({0, FailureClass::payload, 4}), 1);
  EXPECT_EQ(streaks.add({0, FailureClass::oom, 4}), 1);
  EXPECT_EQ(streaks.add({0, FailureClass::oom, 4}), 2);
}

TEST(FailureStreaks, SuccessEndsAStreakAndInfraDoesNot) {
  FailureStreaks streaks;
  streaks.add({0, FailureClass::payload, 3});
  EXPECT_EQ(streaks.add({0, FailureClass::infra, std::nullopt}), 0);
  EXPECT_EQ(streaks.add({0, FailureClass::payload, 3}), 2);
  EXPECT_EQ(streaks.add({0, FailureClass::none, 0}), 0);
  EXPECT_EQ(streaks.add({0, FailureClass::payload, 3}), 1);
}

TEST(FailureStreaks, ExperimentsAreKeptApart) {
  FailureStreaks streaks;
  streaks.add({0, FailureClass::timeout, std::nullopt});
  EXPECT_EQ(streaks.add({1, FailureClass::timeout, std::nullopt}), 1);
  EXPECT_EQ(streaks.add({0, FailureClass::timeout, std::nullopt}), 2);
}

using Outcomes = std::vector<std::pair<std::string, FailureClass>>;

Outcomes outcomes(const std::string& letters) {
  Outcomes result;
  for (const char c : letters)
    result.emplace_back("r", c == 'i'   ? FailureClass::infra
                             : c == 'p' ? FailureClass::payload
                                        : FailureClass::none);
  return result;
}

std::string reached(const campaign::Execution& execution, const std::string& letters,
                    std::size_t failed = 0) {
  const Outcomes list = outcomes(letters);
  return limit_reached({.execution = &execution, .outcomes = &list, .failed = failed});
}

TEST(LimitReached, MaxFailuresCountsRunsFailedForGood) {
  campaign::Execution execution;
  execution.max_failures = 2;
  EXPECT_EQ(reached(execution, "", 1), "");
  EXPECT_EQ(reached(execution, "", 2), "execution.max_failures: 2 runs have failed");
}

TEST(LimitReached, ThresholdLooksAtTheLastWindowOfItsClasses) {
  campaign::Execution execution;
  execution.failure_threshold = campaign::FailureThreshold{.rate = 0.5, .window = 4};
  EXPECT_EQ(reached(execution, "iii"), "") << "the window is not full";
  EXPECT_EQ(reached(execution, "oipo"), "") << "payload is not of its classes";
  EXPECT_EQ(reached(execution, "oioi"),
            "execution.failure_threshold: 2 of the last 4 attempts failed");
  EXPECT_EQ(reached(execution, "iiiioooo"), "") << "older ones are out of the window";
  execution.failure_threshold->classes = {"infra", "payload"};
  EXPECT_NE(reached(execution, "oipo"), "");
}

TEST(LimitReached, NothingIsReachedWithoutLimits) {
  EXPECT_EQ(reached(campaign::Execution{}, "iiiiiiiiiiiiiiiiiiiii", 100), "");
}

}  // namespace
}  // namespace controller
