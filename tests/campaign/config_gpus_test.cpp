#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "campaign/config/loader.hpp"
#include "campaign/plan/plan.hpp"
#include "tests/campaign/config_folder.hpp"

namespace campaign {
namespace {

using Kind = GpuWish::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char head[] = "name: x\nrunner: {type: local, command: a}\n";

TEST(GpuWish, IsAWordACountOrIds) {
  EXPECT_EQ(gpu_wish(Value::string("auto"))->kind, Kind::automatic);
  EXPECT_EQ(gpu_wish(Value::string("all"))->kind, Kind::all);
  EXPECT_EQ(gpu_wish(Value::string("none"))->kind, Kind::none);
  EXPECT_EQ(gpu_wish(Value::integer(0))->kind, Kind::none);
  EXPECT_EQ(gpu_wish(Value::integer(2))->count, 2);
  EXPECT_EQ(gpu_wish(Value::string("2"))->count, 2);  // of a placeholder within a text
  const Value ids = from_json(R"([0, "GPU-8f1e", "1:2"])");
  EXPECT_THAT(gpu_wish(ids)->ids, ElementsAre("0", "GPU-8f1e", "1:2"));
  EXPECT_EQ(gpu_wish(from_json(R"({"ids": [0, "GPU-8f1e", "1:2"]})")), gpu_wish(ids));
  for (const char* wrong : {"true", "1.5", "-1", "\"some\"", "[]", "[[1]]", "{}", "{\"ids\": 1}",
                            "{\"ids\": [1], \"count\": 1}", "null"})
    EXPECT_FALSE(gpu_wish(from_json(wrong))) << wrong;
}

TEST(GpuWish, AnExperimentsOwnWinsOverItsRunners) {
  const Folder folder;
  const Campaign campaign = load(folder,
                                 "name: x\naxes: {tp: [1, 2]}\nset: {gpus: \"{p.tp}\"}\n"
                                 "runner: {type: local, command: a, gpus: 4}\n");
  const Plan plan = make_plan(campaign);
  EXPECT_EQ(runner_of(campaign, plan.experiments[0])->gpus->count, 1);
  EXPECT_EQ(runner_of(campaign, plan.experiments[1])->gpus->count, 2);
}

TEST(GpuWish, ABareListOfAnExperimentIsIdsAndAnAxisIsCounts) {
  const Folder folder;
  const Campaign ids =
      load(folder, std::string(head) + "experiments: [{name: a, set: {gpus: [0, 2]}}]\n");
  EXPECT_THAT(runner_of(ids, make_plan(ids).experiments[0])->gpus->ids, ElementsAre("0", "2"));
  const Campaign counts = load(folder, std::string(head) + "axes: {gpus: [1, 2]}\n");
  const Plan plan = make_plan(counts);
  EXPECT_EQ(plan.experiments[1].name, "g2");
  EXPECT_EQ(runner_of(counts, plan.experiments[1])->gpus->count, 2);
}

TEST(GpuWish, WhatIsNoneIsAnErrorWithItsPlace) {
  const Folder folder;
  const Campaign campaign = load(folder, std::string(head) + "axes: {gpus: [1, lots]}\n");
  EXPECT_EQ(error_of(folder, [&] { make_plan(campaign); }),
            "campaign.yaml:3:18: gpus: expected a count, a list of ids, {ids: [...]}, all or "
            "none, not lots");
}

TEST(GpuWish, IsPartOfAnExperimentsIdentity) {
  const Folder folder;
  const auto hash = [&](const std::string& gpus) {
    const Campaign campaign =
        load(folder, "name: x\naxes: {a: [1]}\nrunner: {type: local, command: a" + gpus + "}\n");
    return make_plan(campaign).experiments[0].hash;
  };
  EXPECT_NE(hash(""), hash(", gpus: 1"));
  EXPECT_NE(hash(", gpus: 1"), hash(", gpus: 2"));
  EXPECT_NE(hash(", gpus: 1"), hash(", gpus: [1]"));
}

}  // namespace
}  // namespace campaign
