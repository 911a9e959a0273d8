#include "controller/session_wishes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "campaign/config/loader.hpp"
#include "controller/compose_services.hpp"
#include "tests/compose/compose_folder.hpp"

namespace controller::test {
namespace {

using ::testing::ElementsAre;
using Kind = campaign::GpuWish::Kind;

// A service `work` that reserves two GPUs, and runs that are carried out with it.
class WrittenWish : public ::testing::Test {
 protected:
  WrittenWish() {
    folder_.write("compose.yaml",
                  "services:\n  work:\n    image: w:1\n    deploy: {resources: {reservations: "
                  "{devices: [{capabilities: [gpu], count: 2}]}}}\n");
  }
  std::optional<gpu::Asked> wish(const std::string& runner, const std::string& rest = "") const {
    folder_.write("campaign.yaml", "name: k\naxes: {a: [1]}\nrunner: {service: work" + runner +
                                       "}\ncontainer: {compose_file: compose.yaml}\n" + rest);
    campaign::Campaign campaign =
        campaign::load_campaign({.path = folder_ / "campaign.yaml",
                                 .sets = {},
                                 .environment = campaign::process_environment(),
                                 .document = {}});
    take_services(campaign);
    const campaign::Plan plan = campaign::make_plan(campaign);
    const compose::Project project = planned_project(campaign, plan);
    return written_wish(campaign, plan.experiments.front(), &project);
  }

  compose::ComposeFolder folder_;
};

TEST_F(WrittenWish, IsWhatTheServiceReservesWhereTheRunnerSaysNothing) {
  const auto asked = wish("");
  EXPECT_EQ(asked->wish.kind, Kind::count);
  EXPECT_EQ(asked->wish.count, 2);
  EXPECT_EQ(asked->service, "work");
  EXPECT_FALSE(asked->experiment.empty());
}

TEST_F(WrittenWish, OfTheRunnerComesFirstAndNoServiceIsNamed) {
  const auto asked = wish(", gpus: [0]");
  EXPECT_THAT(asked->wish.ids, ElementsAre("0"));
  EXPECT_EQ(asked->service, "");
  EXPECT_EQ(wish(", gpus: none")->wish.kind, Kind::none);
}

TEST_F(WrittenWish, ACampaignWithoutGpusEmptiesAReservation) {
  EXPECT_EQ(wish("", "gpus: none\n")->wish.kind, Kind::none);
}

TEST_F(WrittenWish, WhatIsDoneAsksForNone) {
  campaign::Campaign campaign;
  campaign::Plan plan;
  plan.experiments.resize(2);
  plan.experiments[0].name = "done";
  plan.experiments[1].name = "open";
  plan.runs = {{0, 1}, {1, 1}};
  campaign::Fold fold;
  fold.runs["done.c01"].phase = campaign::RunPhase::completed;
  UpOptions options;
  const auto left = [&](bool revised) {
    std::vector<gpu::Asked> asked(2, {.experiment = "", .wish = {.kind = Kind::all}});
    leave_out_done(asked, {.campaign = &campaign,
                           .plan = &plan,
                           .fold = &fold,
                           .options = &options,
                           .revised = revised});
    return std::pair(asked[0].wish.kind, asked[1].wish.kind);
  };
  constexpr bool as_it_was = false, revised = true;
  EXPECT_EQ(left(as_it_was), std::pair(Kind::none, Kind::all));
  EXPECT_EQ(left(revised), std::pair(Kind::all, Kind::all));
  options.rerun = "*";
  EXPECT_EQ(left(as_it_was), std::pair(Kind::all, Kind::all));
}

}  // namespace
}  // namespace controller::test
