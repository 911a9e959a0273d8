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
  EXPECT_THAT(gpu_wish(Value::string("ids:0,GPU-8f1e"))->ids, ElementsAre("0", "GPU-8f1e"));
  for (const char* wrong : {"\"ids:\"", "\"ids:0,\"", "true", "1.5", "-1", "\"some\"", "[]",
                            "[[1]]", "{}", "{\"ids\": 1}", "{\"ids\": [1], \"count\": 1}", "null"})
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

// What planning says of a campaign whose `gpus` and whose runner's are these.
std::string refusal(const std::string& campaigns, const std::string& runners) {
  const Folder folder;
  return error_of(folder, [&] {
    make_plan(load(folder, "name: x\naxes: {a: [1, 2]}\ngpus: " + campaigns +
                               "\nrunner: {type: local, command: a, gpus: " + runners + "}\n"));
  });
}

TEST(GpuWish, WhatNoHostCouldGiveIsAnErrorWithItsPlace) {
  EXPECT_EQ(
      refusal("none", "1"),
      "campaign.yaml:4:41: runner.gpus: its runs ask for GPUs, and the campaign's are `none`");
  EXPECT_EQ(refusal("{ids: [0, 1]}", "9"),
            "campaign.yaml:4:41: runner.gpus: 9 are more than the campaign's: 0, 1");
  EXPECT_THAT(refusal("{ids: [0, 1]}", "[2]"), HasSubstr("`2` is not among the campaign's: 0, 1"));
  EXPECT_THAT(refusal("[GPU-a]", "[GPU-b]"), HasSubstr("`GPU-b` is not among the campaign's"));
  const Folder folder;
  const Campaign own = load(folder, "gpus: none\n" + std::string(head) + "axes: {gpus: [0, 1]}\n");
  EXPECT_EQ(error_of(folder, [&] { make_plan(own); }),
            "campaign.yaml:4:18: gpus: its runs ask for GPUs, and the campaign's are `none`");
}

TEST(GpuWish, WhatSomeHostCouldGiveIsPlanned) {
  for (const auto& [campaigns, runners] :
       std::vector<std::pair<std::string, std::string>>{{"none", "none"},
                                                        {"auto", "9"},
                                                        {"all", "[7]"},
                                                        {"[0, 1]", "2"},
                                                        {"[0, 1]", "all"},
                                                        {"[0, 1]", "[1]"},
                                                        {"[0]", "[GPU-a]"},
                                                        {"[GPU-ab]", "[GPU-a]"},
                                                        {"[GPU-a]", "[GPU-ab]"}})
    EXPECT_EQ(refusal(campaigns, runners), "no error") << campaigns << " " << runners;
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
