#include "campaign/state/manifest.hpp"
#include "tests/campaign/config_folder.hpp"
#include "tests/campaign/plan_support.hpp"

namespace campaign {
namespace {

using testing::ElementsAre;

constexpr char both[] =
    "name: x\naxes: {tp: [1, 2]}\n"
    "runner: {image: i, command: a, strategy: [ephemeral, persistent], warmup_command: [w]}\n";

TEST(Strategy, AListRunsEachExperimentBothWays) {
  const Folder folder;
  const Plan plan = make_plan(load(folder, both));
  EXPECT_THAT(names(plan),
              ElementsAre("tp1-ephemeral", "tp1-persistent", "tp2-ephemeral", "tp2-persistent"));
  EXPECT_EQ(plan.experiments[1].strategy, Strategy::persistent);
  EXPECT_EQ(plan.experiments[1].axes.find("strategy")->as_string(), "persistent");
  EXPECT_EQ(plan.experiments[0].config, plan.experiments[1].config);
  EXPECT_NE(plan.experiments[0].hash, plan.experiments[1].hash);
}

TEST(Strategy, GivenNamesAndTemplatesGetIt) {
  const Folder folder;
  const std::string runner = "runner: {image: i, strategy: [ephemeral, persistent]}\n";
  EXPECT_THAT(names(make_plan(load(folder, "name: x\nexperiments: [{name: one}]\n" + runner))),
              ElementsAre("one-ephemeral", "one-persistent"));
  EXPECT_THAT(names(make_plan(
                  load(folder, "name: x\naxes: {a: [1]}\nname_template: \"n{p.a}\"\n" + runner))),
              ElementsAre("n1-ephemeral", "n1-persistent"));
}

TEST(Strategy, EphemeralIsNoPartOfAnIdentityThatHadNone) {
  Campaign campaign = with_axes(R"({"a":[1]})");
  const std::string before = make_plan(campaign).experiments[0].hash;
  campaign.runner->strategy_written = true;
  EXPECT_EQ(make_plan(campaign).experiments[0].hash, before);
  campaign.runner->strategy = {Strategy::persistent};
  const std::string persistent = make_plan(campaign).experiments[0].hash;
  EXPECT_NE(persistent, before);
  campaign.runner->warmup_command = {"w"};
  EXPECT_NE(make_plan(campaign).experiments[0].hash, persistent);
}

TEST(Strategy, ContainerSaysItForRunnersThatDoNot) {
  const Folder folder;
  const std::string text =
      "name: x\naxes: {backend: [a, b, c]}\ncontainer: {strategy: persistent}\n"
      "runners: {a: {image: i}, b: {image: i, strategy: ephemeral}, c: {type: local, command: x}}";
  const Campaign campaign = load(folder, text);
  EXPECT_TRUE(campaign.runners.at("a").persistent());
  EXPECT_FALSE(campaign.runners.at("b").persistent());
  EXPECT_FALSE(campaign.runners.at("c").persistent());
}

TEST(Strategy, TheCommandLineIsLaidOverAllAndStays) {
  const Folder folder;
  const std::string text =
      "name: x\naxes: {backend: [a, b]}\nrunners: {a: {image: i, strategy: ephemeral}, b: {image: "
      "i}}";
  const Campaign campaign = load(folder, text, {"container.strategy=persistent"});
  EXPECT_TRUE(campaign.runners.at("a").persistent());
  EXPECT_TRUE(campaign.runners.at("b").persistent());
  const Campaign again = decode_campaign(campaign.document, campaign.file);
  EXPECT_EQ(again.runners, campaign.runners);
}

TEST(Strategy, ManifestsKeepIt) {
  const Folder folder;
  Manifest manifest;
  manifest.document = Value::map({});
  manifest.plan = make_plan(load(folder, both));
  const Manifest read = read_manifest(write_manifest(manifest));
  for (std::size_t i = 0; i < read.plan.experiments.size(); ++i)
    EXPECT_EQ(read.plan.experiments[i].strategy, manifest.plan.experiments[i].strategy) << i;
}

TEST(Server, IsPartOfTheIdentityButNotItsReadiness) {
  Campaign campaign = with_axes(R"({"a":[1]})");
  const std::string without = make_plan(campaign).experiments[0].hash;
  campaign.runner->server = Server{.command = {"serve", "{p.a}"}};
  const std::string with = make_plan(campaign).experiments[0].hash;
  EXPECT_NE(with, without);
  campaign.runner->server->ready = Ready{.tcp = ":80"};
  EXPECT_EQ(make_plan(campaign).experiments[0].hash, with);
  campaign.runner->server->reuse = ServerReuse::while_same;
  EXPECT_NE(make_plan(campaign).experiments[0].hash, with);
}

TEST(ComparePlans, ColdStartAndHealthCheckAreProtocol) {
  const Campaign before = with_axes(R"({"a":[1]})");
  Campaign now = before;
  now.cold_start.force_cold_start = true;
  now.health_check.max_restarts = 9;
  const Plan plan = make_plan(before);
  const auto changes = compare_plans({&before, &plan}, {&now, &plan});
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].text(), "protocol: cold_start.force_cold_start: false -> true");
  EXPECT_EQ(changes[1].text(), "protocol: health_check.max_restarts: 3 -> 9");
}

}  // namespace
}  // namespace campaign
