#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "campaign/statistics/statistics.hpp"

namespace campaign {
namespace {

TEST(Statistics, NothingHasNoMeanMedianDeviationOrPercentile) {
  EXPECT_FALSE(mean({}));
  EXPECT_FALSE(median({}));
  EXPECT_FALSE(standard_deviation({}));
  EXPECT_FALSE(percentile({}, 50));
  EXPECT_FALSE(mean_interval({}, 0.95));
  EXPECT_TRUE(outliers({}, 3.5).empty());
}

TEST(Statistics, OneValueIsEveryPercentileAndHasNoDeviation) {
  EXPECT_EQ(percentile({7}, 0), 7);
  EXPECT_EQ(percentile({7}, 99), 7);
  EXPECT_EQ(mean({7}), 7);
  EXPECT_FALSE(standard_deviation({7}));
}

TEST(Statistics, PercentilesInterpolateLinearlyAsNumpyDoes) {
  EXPECT_DOUBLE_EQ(*percentile({2, 1}, 25), 1.25);
  EXPECT_DOUBLE_EQ(*percentile({1, 2}, 95), 1.95);
  EXPECT_DOUBLE_EQ(*percentile({10, 7, 4, 3, 2, 1}, 50), 3.5);
  EXPECT_DOUBLE_EQ(*percentile({15, 20, 35, 40, 50}, 40), 29);
  EXPECT_DOUBLE_EQ(*percentile({1, 2, 3, 4}, 100), 4);
  EXPECT_DOUBLE_EQ(*percentile({1, 2, 3, 4}, 0), 1);
}

TEST(Statistics, ZeroesAreValues) {
  EXPECT_DOUBLE_EQ(*mean({0, 0, 3}), 1);
  EXPECT_DOUBLE_EQ(*median({0, 0, 3}), 0);
}

TEST(Statistics, DeviationDividesByNMinusOneAndKeepsSmallSpreadsOfLargeValues) {
  EXPECT_DOUBLE_EQ(*standard_deviation({2, 4, 4, 4, 5, 5, 7, 9}), std::sqrt(32.0 / 7));
  EXPECT_DOUBLE_EQ(*standard_deviation({1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16}), std::sqrt(30.0));
}

struct TableValue {
  double p, df, t;
};

TEST(Statistics, StudentQuantilesAreThoseOfTheTables) {
  const TableValue table[] = {{0.975, 1, 12.706204736432095}, {0.975, 2, 4.302652729911275},
                              {0.975, 3, 3.182446305284263},  {0.975, 4, 2.776445105198054},
                              {0.975, 5, 2.570581835636314},  {0.975, 9, 2.262157162740992},
                              {0.975, 10, 2.228138851964939}, {0.975, 29, 2.045229642132703},
                              {0.975, 30, 2.042272456301238}, {0.975, 120, 1.979930405052777},
                              {0.95, 1, 6.313751514675043},   {0.95, 7, 1.894578605061305},
                              {0.995, 2, 9.92484320091807},   {0.9995, 1, 636.6192487687196},
                              {0.9, 15, 1.340605607868294},   {0.75, 1, 1.0}};
  for (const auto& [p, df, t] : table)
    EXPECT_NEAR(student_t_quantile(p, df), t, 1e-6) << "p " << p << " df " << df;
}

TEST(Statistics, StudentQuantilesAreSymmetric) {
  EXPECT_EQ(student_t_quantile(0.5, 4), 0);
  EXPECT_NEAR(student_t_quantile(0.025, 4), -2.776445105198054, 1e-9);
}

TEST(Statistics, StudentQuantilesBecomeNormalOnes) {
  constexpr double normal = 1.959963984540054;
  EXPECT_NEAR(student_t_quantile(0.975, 1e6), normal, 1e-5);
  EXPECT_NEAR(student_t_quantile(0.975, 1e6), student_t_quantile(0.975, 1e6 + 1), 1e-9);
  EXPECT_NEAR(student_t_quantile(0.975, std::numeric_limits<double>::infinity()), normal, 1e-9);
}

TEST(Statistics, AQuantileOfNoDistributionIsNotANumber) {
  EXPECT_TRUE(std::isnan(student_t_quantile(1, 4)));
  EXPECT_TRUE(std::isnan(student_t_quantile(0.975, 0)));
}

TEST(Statistics, AnIntervalNeedsThreeValues) {
  EXPECT_FALSE(mean_interval({1, 2}, 0.95));
  const auto interval = mean_interval({1, 2, 3}, 0.95);
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 2 - 4.302652729911275 / std::sqrt(3.0), 1e-9);
  EXPECT_NEAR(interval->high, 2 + 4.302652729911275 / std::sqrt(3.0), 1e-9);
}

TEST(Statistics, OutliersStandOutByModifiedZ) {
  const auto flags = outliers({10, 11, 10, 12, 11, 30}, 3.5);
  EXPECT_EQ(flags, (std::vector<bool>{false, false, false, false, false, true}));
}

TEST(Statistics, WithoutSpreadAroundTheMedianNothingIsAnOutlier) {
  const auto flags = outliers({5, 5, 5, 5, 100}, 3.5);
  EXPECT_EQ(std::count(flags.begin(), flags.end(), true), 0);
}

}  // namespace
}  // namespace campaign
