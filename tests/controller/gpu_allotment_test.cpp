#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/errors.hpp"
#include "controller/gpu/allotment.hpp"
#include "tests/support/controller/gpu_support.hpp"

namespace controller {
namespace {

using gpu::Asked;
using gpu::wish_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Then = campaign::GpusWait::Then;

// Two GPUs, and what others hold of them.
class Allotment : public ::testing::Test {
 protected:
  Allotment() { inventory_.devices = testing::made_devices({"GPU-a", "GPU-b"}); }

  gpu::Allotment allot(const std::vector<Asked>& asked) const {
    return gpu::allot({.wish = wish_,
                       .wait = wait_,
                       .asked = asked,
                       .inventory = inventory_,
                       .grant = gpu::grant_of(inventory_.devices, {}),
                       .taken = taken_});
  }
  std::string error_of(ExitCode code, const std::vector<Asked>& asked) const {
    try {
      allot(asked);
    } catch (const CommandError& error) {
      EXPECT_EQ(error.code, code);
      return error.what();
    }
    return "no error";
  }
  static Asked asks(const std::string& wish) {
    return {.experiment = "s1", .wish = wish_of(wish), .service = ""};
  }

  gpu::Inventory inventory_;
  gpu::Wish wish_ = wish_of("auto");
  campaign::GpusWait wait_;
  gpu::Taken taken_ = {{"GPU-b", "leased by pid 7"}};
};

TEST_F(Allotment, AutoIsTheFreeOnesWhereTheyAreEnoughWhateverGpusWaitSays) {
  wait_ = {.seconds = 1800, .then = Then::pause};
  const gpu::Allotment got = allot({asks("1"), asks("none"), asks("all")});
  EXPECT_THAT(testing::uuids_of(got.pool.devices), ElementsAre("GPU-a"));
  EXPECT_EQ(got.demands.at(1).count, 0U);
  EXPECT_EQ(got.demands.at(2).count, 1U);
}

TEST_F(Allotment, WithAWaitTheWholeGrantIsCountedOnWhereTheFreeOnesAreNotEnough) {
  wait_.seconds = 1800;
  for (const char* wish : {"2", "ids:1", "ids:GPU-b"})
    EXPECT_EQ(allot({asks("1"), asks(wish)}).pool.devices.size(), 2U) << wish;
  EXPECT_EQ(allot({asks("2")}).pool.cause,
            "auto: all of the grant, since the free ones are not enough, 1 of 2, and gpus_wait "
            "waits; 1: leased by pid 7");
  EXPECT_EQ(allot({asks("2")}).demands.at(0).count, 2U);
}

TEST_F(Allotment, WithAWaitNoFreeOneAtAllIsNoError) {
  taken_["GPU-a"] = "pid 8 holds it";
  wait_.seconds = 1;
  EXPECT_EQ(allot({asks("1")}).demands.at(0).candidates.size(), 2U);
  EXPECT_EQ(allot({asks("all")}).demands.at(0).count, 2U);
  wait_ = {.seconds = 0, .then = Then::pause};
  EXPECT_EQ(allot({asks("1")}).demands.at(0).candidates.size(), 2U);
}

TEST_F(Allotment, WithoutAWaitTheMessageNamesTheExperimentAndTheWaysOut) {
  EXPECT_THAT(error_of(ExitCode::usage, {asks("1"), {.experiment = "s2", .wish = wish_of("2")}}),
              AllOf(HasSubstr("s2: gpus: 2 are more than there are"), HasSubstr("leased by pid 7"),
                    HasSubstr("`gpus_wait: {for: 30m}`"), HasSubstr("`gpus: all`"),
                    HasSubstr("`gpus: none`"), Not(HasSubstr("service"))));
  taken_["GPU-a"] = "pid 8 holds it";
  EXPECT_THAT(
      error_of(ExitCode::environment,
               {asks("none"), {.experiment = "s2", .wish = wish_of("1"), .service = "work"}}),
      AllOf(HasSubstr("s2: its runs ask for GPUs and there are none to be had here"),
            HasSubstr("not 0: pid 8 holds it"), HasSubstr("`gpus_wait: {for: 30m}`"),
            HasSubstr("service `work` reserves them"), HasSubstr("`gpus: none`")));
}

TEST_F(Allotment, WhatNoWaitBringsIsAnErrorThatDoesNotAdviseOne) {
  EXPECT_THAT(error_of(ExitCode::usage, {asks("3")}), Not(HasSubstr("gpus_wait")));
  wait_.seconds = 1800;
  EXPECT_THAT(error_of(ExitCode::usage, {asks("3")}), HasSubstr("3 are more than there are"));
  inventory_.devices.clear();
  inventory_.places = {{gpu::Place::Answer::nothing, "NVML", "no GPUs"}};
  EXPECT_THAT(error_of(ExitCode::environment, {asks("1")}),
              AllOf(HasSubstr("none to be had here"), HasSubstr("NVML: no GPUs")));
}

TEST_F(Allotment, WhereNobodyAsksNoneAreNeeded) {
  inventory_.devices.clear();
  EXPECT_EQ(allot({asks("none")}).demands.at(0).count, 0U);
}

}  // namespace
}  // namespace controller
