#include <gmock/gmock.h>

#include <map>
#include <numeric>
#include <set>

#include "campaign/plan/plan.hpp"
#include "campaign/plan/random.hpp"

namespace campaign {
namespace {

using testing::ElementsAre;
using Row = std::vector<std::uint32_t>;

Row shuffled(std::uint64_t seed, std::uint64_t cycle, std::uint32_t count) {
  Row row(count);
  std::iota(row.begin(), row.end(), 0U);
  Pcg32 random(seed, cycle);
  shuffle(row, random);
  return row;
}

std::string text(const std::vector<PlannedRun>& runs) {
  std::string result;
  for (const PlannedRun& run : runs) {
    if (!result.empty()) result += ' ';
    result += static_cast<char>('A' + run.experiment);
    result += std::to_string(run.cycle);
    if (run.block > 0) result += "+" + std::to_string(run.block);
  }
  return result;
}

std::string ordered(Structure structure, std::uint32_t count, std::int32_t cycles,
                    std::uint64_t seed = 0) {
  return text(order_runs({structure, count, cycles, seed}));
}

TEST(Pcg32, GivesTheAuthorsPublishedNumbersForSeed42Stream54) {
  Pcg32 random(42, 54);
  Row drawn;
  for (int i = 0; i < 6; ++i) drawn.push_back(random.next());
  EXPECT_THAT(drawn, ElementsAre(0xa15c02b7U, 0x7b47f409U, 0xba1d3330U, 0x83d2f293U, 0xbfa4784bU,
                                 0xcbed606eU));
}

TEST(Pcg32, RejectsDrawsThatWouldBiasALargeBound) {
  Pcg32 random(7, 1);
  Row drawn;
  for (int i = 0; i < 5; ++i) drawn.push_back(random.below(3000000000U));
  EXPECT_THAT(drawn, ElementsAre(2215483850U, 1954657312U, 1195553631U, 1808639637U, 1770728691U));
}

TEST(Shuffle, MatchesTheDocumentedVectors) {
  EXPECT_THAT(shuffled(0, 1, 5), ElementsAre(0, 3, 4, 1, 2));
  EXPECT_THAT(shuffled(7, 3, 10), ElementsAre(6, 3, 5, 0, 2, 9, 7, 8, 4, 1));
  EXPECT_THAT(shuffled(18446744073709551615ULL, 10000, 6), ElementsAre(2, 0, 5, 4, 1, 3));
}

TEST(Shuffle, OfNothingAndOfOneIsItself) {
  EXPECT_TRUE(shuffled(1, 1, 0).empty());
  EXPECT_THAT(shuffled(1, 1, 1), ElementsAre(0));
}

TEST(Order, ShuffledFollowsSeedAndCycle) {
  EXPECT_EQ(ordered(Structure::shuffled, 4, 3, 0), "D1 A1 C1 B1 D2 A2 B2 C2 B3 C3 A3 D3");
  EXPECT_EQ(ordered(Structure::shuffled, 4, 3, 7), "D1 A1 B1 C1 C2 D2 B2 A2 C3 A3 B3 D3");
}

TEST(Order, InterleavedRepeatsTheListedOrder) {
  EXPECT_EQ(ordered(Structure::interleaved, 3, 2), "A1 B1 C1 A2 B2 C2");
}

TEST(Order, GroupedRepeatsEachExperiment) {
  EXPECT_EQ(ordered(Structure::grouped, 2, 3), "A1 A2 A3 B1 B2 B3");
}

TEST(Order, BalancedFollowsWilliamsRows) {
  EXPECT_EQ(ordered(Structure::balanced, 4, 4), "A1 B1 D1 C1 B2 C2 A2 D2 C3 D3 B3 A3 D4 A4 C4 B4");
  EXPECT_EQ(ordered(Structure::balanced, 3, 6),
            "A1 B1 C1 B2 C2 A2 C3 A3 B3 C4 B4 A4 A5 C5 B5 B6 A6 C6");
}

TEST(Order, BalancedPutsEveryOrderedPairSideBySideEquallyOften) {
  for (std::uint32_t count = 2; count <= 9; ++count) {
    const auto rows = static_cast<std::int32_t>(balanced_rows(count));
    const auto runs = order_runs({Structure::balanced, count, rows, 0});
    std::map<std::pair<std::uint32_t, std::uint32_t>, int> pairs;
    for (std::size_t i = 1; i < runs.size(); ++i)
      if (runs[i].cycle == runs[i - 1].cycle) ++pairs[{runs[i - 1].experiment, runs[i].experiment}];
    ASSERT_EQ(pairs.size(), count * (count - 1)) << count;
    for (const auto& [pair, times] : pairs) EXPECT_EQ(times, count % 2 == 0 ? 1 : 2) << count;
  }
}

TEST(Order, BalancedPutsEveryExperimentInEveryPlaceEquallyOften) {
  for (std::uint32_t count = 1; count <= 9; ++count) {
    const auto rows = static_cast<std::int32_t>(balanced_rows(count));
    const auto runs = order_runs({Structure::balanced, count, rows, 0});
    std::map<std::pair<std::uint32_t, std::size_t>, int> places;
    for (std::size_t i = 0; i < runs.size(); ++i) ++places[{runs[i].experiment, i % count}];
    for (const auto& [at, times] : places)
      EXPECT_EQ(times, rows / static_cast<std::int32_t>(count));
  }
}

TEST(Order, EveryStructureRunsEachExperimentOnceACycle) {
  for (const Structure structure :
       {Structure::shuffled, Structure::interleaved, Structure::grouped, Structure::balanced})
    for (std::uint32_t count = 1; count <= 7; ++count) {
      const auto runs = order_runs({structure, count, 5, 3});
      std::set<std::pair<std::uint32_t, std::int32_t>> seen;
      for (const PlannedRun& run : runs) {
        EXPECT_TRUE(run.experiment < count && run.cycle >= 1 && run.cycle <= 5 && run.block == 0);
        seen.insert({run.experiment, run.cycle});
      }
      EXPECT_EQ(runs.size(), count * 5U);
      EXPECT_EQ(seen.size(), runs.size());
    }
}

TEST(Order, OfNoExperimentsIsEmpty) {
  EXPECT_EQ(ordered(Structure::shuffled, 0, 3), "");
  EXPECT_EQ(ordered(Structure::balanced, 0, 3), "");
}

TEST(GrowOrder, StartedCyclesKeepTheirOrderAndGetOneMarkedBlock) {
  const auto earlier = order_runs({Structure::shuffled, 3, 3, 7});
  const auto grown = grow_order({Structure::shuffled, 4, 3, 7}, {earlier, {1, 2}});
  const std::string kept = text({earlier.begin(), earlier.begin() + 6});
  const std::string fresh = ordered(Structure::shuffled, 4, 3, 7);
  EXPECT_EQ(text(grown), kept + " D1+1 D2+1 " + fresh.substr(24));
}

TEST(GrowOrder, WithoutStartedCyclesIsTheOrderOfTheFullSet) {
  const auto earlier = order_runs({Structure::shuffled, 3, 2, 7});
  EXPECT_EQ(text(grow_order({Structure::shuffled, 5, 2, 7}, {earlier, {}})),
            ordered(Structure::shuffled, 5, 2, 7));
}

TEST(GrowOrder, ASecondGrowthIsTheNextBlock) {
  const auto first = order_runs({Structure::interleaved, 2, 2, 0});
  const auto second = grow_order({Structure::interleaved, 3, 2, 0}, {first, {1}});
  EXPECT_EQ(text(second), "A1 B1 C1+1 A2 B2 C2");
  EXPECT_EQ(text(grow_order({Structure::interleaved, 4, 2, 0}, {second, {1}})),
            "A1 B1 C1+1 D1+2 A2 B2 C2 D2");
}

TEST(GrowOrder, MoreCyclesFollowTheStartedOnes) {
  const auto earlier = order_runs({Structure::interleaved, 2, 1, 0});
  EXPECT_EQ(text(grow_order({Structure::interleaved, 2, 3, 0}, {earlier, {1}})),
            "A1 B1 A2 B2 A3 B3");
}

TEST(GrowOrder, DropsExperimentsAndCyclesThatAreGone) {
  const std::vector<PlannedRun> earlier{{0, 1}, {9, 1}, {1, 1}, {1, 2}, {0, 2}, {0, 3}};
  EXPECT_EQ(text(grow_order({Structure::interleaved, 2, 2, 0}, {earlier, {1, 2, 3}})),
            "A1 B1 B2 A2");
}

TEST(GrowOrder, GroupedKeepsEarlierRunsAndAppendsByExperiment) {
  const auto earlier = order_runs({Structure::grouped, 2, 2, 0});
  EXPECT_EQ(text(grow_order({Structure::grouped, 3, 3, 0}, {earlier, {1}})),
            "A1 A2 B1 B2 A3 B3 C1+1 C2 C3");
}

TEST(GrowOrder, HasEveryRunOnceWhateverHadStarted) {
  for (const Structure structure :
       {Structure::shuffled, Structure::interleaved, Structure::grouped, Structure::balanced})
    for (std::int32_t started = 0; started <= 4; ++started) {
      std::vector<std::int32_t> cycles;
      for (std::int32_t cycle = 1; cycle <= started; ++cycle) cycles.push_back(cycle);
      const auto earlier = order_runs({structure, 3, 4, 1});
      std::set<std::pair<std::uint32_t, std::int32_t>> seen;
      const auto grown = grow_order({structure, 5, 4, 1}, {earlier, cycles});
      for (const PlannedRun& run : grown) {
        seen.insert({run.experiment, run.cycle});
        EXPECT_EQ(run.block > 0, run.cycle <= started && run.experiment >= 3);
      }
      EXPECT_EQ(grown.size(), 20U);
      EXPECT_EQ(seen.size(), 20U);
    }
}

}  // namespace
}  // namespace campaign
