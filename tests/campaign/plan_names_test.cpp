#include "campaign/plan/names.hpp"

#include <set>

#include "tests/campaign/plan_support.hpp"

namespace campaign {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

Campaign with_named(const std::vector<std::string>& wishes) {
  Campaign campaign = small_campaign();
  for (std::size_t i = 0; i < wishes.size(); ++i)
    campaign.experiments.push_back({.name = wishes[i],
                                    .config = "",
                                    .backend = "",
                                    .set = Value::map({{"n", Value::integer(static_cast<int>(i))}}),
                                    .origin = {"demo.yaml", static_cast<int>(i) + 1, 3}});
  return campaign;
}

TEST(Names, AreMadeOfTheBackendAndTheAxesThatVary) {
  EXPECT_THAT(
      names(make_plan(with_axes(
          R"({"backend":["vllm"],"tp":[1,2],"concurrency":[64],"batch_size":[4,8],"dtype":["f16","f32"]})"))),
      testing::Contains("vllm-tp2-bs8-f32"));
  EXPECT_THAT(names(make_plan(with_axes(R"({"backend":["vllm"],"tp":[2],"concurrency":[8,64]})"))),
              ElementsAre("vllm-c8", "vllm-c64"));
  EXPECT_THAT(names(make_plan(with_axes(R"({"level":[1,9]})"))), ElementsAre("l1", "l9"));
}

TEST(Names, OfASinglePointAreTheBackendOrTheCampaign) {
  EXPECT_THAT(names(make_plan(with_axes(R"({"level":[1]})"))), ElementsAre("demo"));
  EXPECT_THAT(names(make_plan(with_axes(R"({"backend":["x"],"level":[1]})"))), ElementsAre("x"));
}

TEST(Names, ShowValuesThatAreNoNumbers) {
  EXPECT_THAT(names(make_plan(with_axes(R"({"eager":[true,null,-1,0.5,[0,1]]})"))),
              ElementsAre("e-true", "e-null", "e--1", "e0.5", "e0_1"));
}

TEST(Names, ShortKeysGrowUntilTheyDiffer) {
  EXPECT_THAT(short_keys({"tp", "concurrency", "max_tokens"}), ElementsAre("tp", "c", "mt"));
  EXPECT_THAT(short_keys({"batch", "beams"}), ElementsAre("ba", "be"));
  EXPECT_THAT(short_keys({"batch_size", "beam_size"}), ElementsAre("batch_size", "beam_size"));
  EXPECT_THAT(short_keys({"a.size", "b.size"}), ElementsAre("a.size", "b.size"));
  EXPECT_THAT(short_keys({"x.tp", "y.TP"}), ElementsAre("x.tp", "y.tp"));
}

TEST(Names, ThatHadToBeChangedEndInSixHashDigits) {
  const Plan plan =
      make_plan(with_named({"My run", "a/b", "größe", "ok-1.x_y", "Ok", "模型", ".."}));
  EXPECT_THAT(
      names(plan),
      ElementsAre(MatchesRegex("my-run-[0-9a-f]{6}"), MatchesRegex("a-b-[0-9a-f]{6}"),
                  MatchesRegex("gr-e-[0-9a-f]{6}"), "ok-1.x_y", MatchesRegex("ok-[0-9a-f]{6}"),
                  MatchesRegex("experiment-[0-9a-f]{6}"), MatchesRegex("experiment-[0-9a-f]{6}")));
  EXPECT_EQ(plan.experiments[0].name.substr(7), plan.experiments[0].hash.substr(0, 6));
}

TEST(Names, AreAtMostSixtyLong) {
  const Plan plan = make_plan(with_named(
      {std::string(100, 'x'), std::string(60, 'y'), std::string(61, 'z'), std::string(99, 'x')}));
  EXPECT_THAT(plan.experiments[0].name, MatchesRegex("x{53}-[0-9a-f]{6}"));
  EXPECT_EQ(plan.experiments[1].name, std::string(60, 'y'));
  EXPECT_THAT(plan.experiments[2].name, MatchesRegex("z{53}-[0-9a-f]{6}"));
  EXPECT_NE(plan.experiments[0].name, plan.experiments[3].name);
}

TEST(Names, AreSafeAndUniqueWhateverIsWished) {
  const Plan plan =
      make_plan(with_named({"a b", "a/b", "a-b", "A-B", " ", "", "-", "--", "a\nb", "$(x)", "CON",
                            "\xff\xfe", "..", "../x", "x", "X", "x ", "\xc3\xa4"}));
  std::set<std::string> seen;
  for (const std::string& name : names(plan)) {
    EXPECT_THAT(name, MatchesRegex("[a-z0-9][a-z0-9._-]{0,59}"));
    EXPECT_TRUE(seen.insert(name).second) << name;
  }
}

TEST(Names, ThatCollideAreToldApartByTheirHash) {
  Campaign campaign = with_axes(R"({"n":[1,2],"m":[3]})");
  campaign.name_template = "same-{p.m}";
  EXPECT_THAT(names(make_plan(campaign)),
              ElementsAre(MatchesRegex("same-3-[0-9a-f]{6}"), MatchesRegex("same-3-[0-9a-f]{6}")));
}

TEST(Names, ThatAUserGaveAreKeptBeforeMadeOnes) {
  Campaign campaign = with_named({"l1"});
  campaign.axes = from_json(R"({"level":[1,2]})");
  EXPECT_THAT(names(make_plan(campaign)), ElementsAre(MatchesRegex("l1-[0-9a-f]{6}"), "l2", "l1"));
}

TEST(Names, FollowATemplate) {
  Campaign campaign = with_axes(R"({"backend":["x"],"batch":[4,8]})");
  campaign.name_template = "{p.backend}-b{p.batch}";
  EXPECT_THAT(names(make_plan(campaign)), ElementsAre("x-b4", "x-b8"));
  campaign.name_template = "{p.bach}";
  EXPECT_THAT(problem(campaign), HasSubstr("name_template: {p.bach}: no such parameter"));
}

TEST(Names, GivenTwiceAreAProblemThatNamesBothPlaces) {
  const std::string text = problem(with_named({"a", "b", "a"}));
  EXPECT_THAT(text, HasSubstr("demo.yaml:3:3"));
  EXPECT_THAT(text, HasSubstr("the name `a` is taken by the experiment at demo.yaml:1:3"));
}

TEST(Names, OfEntriesComeFromWhatTheySet) {
  Campaign campaign = with_named({"", ""});
  campaign.experiments[1].backend = "x";
  EXPECT_THAT(names(make_plan(campaign)), ElementsAre("n0", "x-n1"));
}

TEST(Names, OfTheFirstManifestAreKept) {
  const Plan before = make_plan(with_axes(R"({"tp":[1,2]})"));
  Campaign campaign = with_axes(R"({"tp":[1,2]})");
  campaign.name_template = "other-{p.tp}";
  Plan now = make_plan(campaign);
  EXPECT_THAT(names(now), ElementsAre("other-1", "other-2"));
  keep_names(now, before.experiments);
  EXPECT_THAT(names(now), ElementsAre("tp1", "tp2"));
}

TEST(Names, OfNewcomersGiveWayToKeptOnes) {
  Plan plan = make_plan(with_named({"a", "b"}));
  const std::vector<Experiment> earlier{known_experiment("b", plan.experiments[0].hash)};
  keep_names(plan, earlier);
  EXPECT_THAT(names(plan), ElementsAre("b", MatchesRegex("b-[0-9a-f]{6}")));
}

TEST(Names, OfChangedExperimentsStay) {
  Plan plan = make_plan(with_named({"a"}));
  keep_names(plan, {known_experiment("a", "0123")});
  EXPECT_THAT(names(plan), ElementsAre("a"));
}

}  // namespace
}  // namespace campaign
