#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/gpu/placement.hpp"
#include "tests/support/controller/gpu_support.hpp"

namespace controller {
namespace {

using Placement = campaign::GpuPlacement;
using gpu::Demand;
using gpu::Placed;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::made_devices;
using testing::uuids_of;

struct Case {
  Placement how = Placement::any;
  std::map<std::string, int> used = {};
  std::set<std::string> busy = {};
  std::vector<std::string> last = {};
};

Placed placed(std::size_t count, const Case& given) {
  const Demand demand{.candidates = made_devices({"GPU-a", "GPU-b", "GPU-c"}), .count = count};
  return gpu::place({.demand = demand,
                     .how = given.how,
                     .used = given.used,
                     .busy = given.busy,
                     .last = given.last});
}

std::vector<std::string> got(std::size_t count, const Case& given) {
  return uuids_of(placed(count, given).devices);
}

TEST(Placement, WithoutAnyHistoryTheFirstFreeOnesInTheirOrder) {
  for (const Placement how : {Placement::any, Placement::same, Placement::rotate}) {
    EXPECT_THAT(got(2, {.how = how}), ElementsAre("GPU-a", "GPU-b"));
    EXPECT_THAT(got(2, {.how = how, .busy = {"GPU-a"}}), ElementsAre("GPU-b", "GPU-c"));
  }
}

TEST(Placement, SameWaitsForTheDeviceOfTheCyclesBefore) {
  const Case busy{.how = Placement::same, .used = {{"GPU-b", 2}}, .busy = {"GPU-b"}};
  EXPECT_THAT(placed(1, busy).devices, IsEmpty());
  EXPECT_THAT(placed(1, busy).waits_for, ElementsAre("GPU-b"));
  EXPECT_THAT(got(1, {.how = Placement::same, .used = {{"GPU-b", 2}}}), ElementsAre("GPU-b"));
}

TEST(Placement, RotateTakesWhatTheExperimentHasUsedLeast) {
  EXPECT_THAT(got(1, {.how = Placement::rotate, .used = {{"GPU-a", 1}, {"GPU-b", 1}}}),
              ElementsAre("GPU-c"));
  EXPECT_THAT(
      placed(1, {.how = Placement::rotate, .used = {{"GPU-a", 1}, {"GPU-b", 1}}, .busy = {"GPU-c"}})
          .waits_for,
      ElementsAre("GPU-c"));
  EXPECT_THAT(got(1, {.how = Placement::rotate, .used = {{"GPU-a", 1}}, .busy = {"GPU-b"}}),
              ElementsAre("GPU-c"));
}

TEST(Placement, OverTheCyclesRotateGivesEachDeviceEquallyOften) {
  std::map<std::string, int> used;
  for (int cycle = 0; cycle < 12; ++cycle)
    for (const std::string& uuid : got(2, {.how = Placement::rotate, .used = used})) ++used[uuid];
  EXPECT_THAT(used,
              ElementsAre(std::pair("GPU-a", 8), std::pair("GPU-b", 8), std::pair("GPU-c", 8)));
}

TEST(Placement, AmongEqualsTheWorkersLastDeviceGoesOn) {
  EXPECT_THAT(got(1, {.how = Placement::any, .last = {"GPU-c"}}), ElementsAre("GPU-c"));
  EXPECT_THAT(got(1, {.how = Placement::any, .busy = {"GPU-c"}, .last = {"GPU-c"}}),
              ElementsAre("GPU-a"));
}

TEST(Placement, WhatNeedsMoreThanIsFreeWaitsForTheRest) {
  EXPECT_THAT(placed(3, {.busy = {"GPU-b"}}).waits_for, ElementsAre("GPU-b"));
}

}  // namespace
}  // namespace controller
