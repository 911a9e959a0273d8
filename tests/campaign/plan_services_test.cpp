#include "tests/campaign/config_folder.hpp"
#include "tests/campaign/plan_support.hpp"

namespace campaign {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::map<std::string, Value> services() {
  return {{"work", from_json(R"({"depends_on":["db"],"service":{"image":"w:1"}})")},
          {"db", from_json(R"({"depends_on":[],"service":{"image":"db:1"}})")},
          {"other", from_json(R"({"depends_on":[],"service":{"image":"o:1"}})")}};
}

Campaign composed(const std::string& rest) {
  const Folder folder;
  folder.write("c.yaml", "services: {}\n");
  Campaign campaign = load(folder, "name: x\ncontainer: {compose_file: c.yaml}\n" + rest);
  add_services(campaign, services());
  return campaign;
}

std::string hash_of(const Campaign& campaign) { return make_plan(campaign).experiments[0].hash; }

TEST(ComposeServices, ABackendWithoutARunnerIsTheServiceOfItsName) {
  const Campaign campaign = composed("axes: {backend: [work, other]}\n");
  const Plan plan = make_plan(campaign);
  ASSERT_EQ(plan.experiments.size(), 2u);
  EXPECT_EQ(runner_of(campaign, plan.experiments[0])->service, "work");
  EXPECT_EQ(runner_of(campaign, plan.experiments[0])->type, RunnerType::compose);
  EXPECT_EQ(image_of(campaign, plan.experiments[1]), "o:1");
}

TEST(ComposeServices, ARunnerThatSaysNeitherTypeNorImageIsOne) {
  const Campaign campaign =
      composed("axes: {backend: [work]}\nrunner: {env: {A: b}, strategy: persistent}\n");
  const auto runner = runner_of(campaign, make_plan(campaign).experiments[0]);
  EXPECT_EQ(runner->type, RunnerType::compose);
  EXPECT_EQ(runner->service, "work");
  EXPECT_TRUE(runner->persistent());
}

TEST(ComposeServices, WhatTheFileDoesNotHaveIsAnErrorAtItsRunner) {
  EXPECT_THAT(problem(composed("axes: {a: [1]}\nrunner: {service: wrok}\n")),
              HasSubstr("campaign.yaml:4:9: runner: the compose file has no service `wrok`; did "
                        "you mean `work`?"));
  EXPECT_THAT(problem(composed("axes: {a: [1]}\nrunner: {type: compose}\n")),
              HasSubstr("runner: `service` is missing: no backend says which one it is"));
  EXPECT_THAT(problem(composed("axes: {a: [1]}\nrunner: {service: work, server: {service: x}}\n")),
              HasSubstr("the compose file has no service `x`"));
}

TEST(ComposeServices, WhatTheyDependOnBelongsToTheIdentityAndNothingElseDoes) {
  Campaign campaign = composed("axes: {a: [1]}\nrunner: {service: work}\n");
  const Plan before = make_plan(campaign);
  Campaign now = campaign;
  now.services["other"] = from_json(R"({"depends_on":[],"service":{"image":"o:2"}})");
  EXPECT_EQ(hash_of(now), before.experiments[0].hash);
  now.services["db"] = from_json(R"({"depends_on":[],"service":{"image":"db:2"}})");
  const Plan after = make_plan(now);
  EXPECT_NE(after.experiments[0].hash, before.experiments[0].hash);
  const auto changes = compare_plans({&campaign, &before}, {&now, &after});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_THAT(changes[0].keys, ElementsAre("runner.services.db.image: db:1 -> db:2"));
}

TEST(ComposeServices, OfAServerToo) {
  Campaign campaign = composed("axes: {a: [1]}\nrunner: {service: db, server: {service: other}}\n");
  const std::string before = hash_of(campaign);
  campaign.services["other"] = from_json(R"({"depends_on":[],"service":{"image":"o:2"}})");
  EXPECT_NE(hash_of(campaign), before);
}

TEST(ImageOf, HasItsPlaceholdersFilledIn) {
  Campaign campaign = with_axes(R"({"tag":["7"]})");
  campaign.runner->image = "redis:{p.tag}";
  EXPECT_EQ(image_of(campaign, make_plan(campaign).experiments[0]), "redis:7");
  campaign.runner->type = RunnerType::local;
  EXPECT_EQ(image_of(campaign, make_plan(campaign).experiments[0]), "");
}

}  // namespace
}  // namespace campaign
