#include <filesystem>
#include <fstream>

#include "tests/campaign/plan_support.hpp"

namespace campaign {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ConfigFolder : public testing::Test {
 protected:
  ConfigFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "plan.XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~ConfigFolder() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text) {
    const auto path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

 private:
  std::filesystem::path folder_;
};

TEST(Axes, AreCrossedWithTheLastFastest) {
  EXPECT_THAT(
      configs(make_plan(with_axes(R"({"a":[1,2],"b":[8,9]})"))),
      ElementsAre(R"({"a":1,"b":8})", R"({"a":1,"b":9})", R"({"a":2,"b":8})", R"({"a":2,"b":9})"));
}

TEST(Axes, DottedKeysMakeMaps) {
  EXPECT_THAT(configs(make_plan(with_axes(R"({"vllm.tp":[1]})"))),
              ElementsAre(R"({"vllm":{"tp":1}})"));
}

TEST(Axes, BackendChoosesTheRunner) {
  Campaign campaign = with_axes(R"({"tp":[1],"backend":["x","y"]})");
  campaign.runner.reset();
  campaign.runners["x"] = image_runner("x:1");
  EXPECT_THAT(problem(campaign), HasSubstr("no runner for backend `y`; give `runners.y`"));
  campaign.runners["y"] = image_runner("y:1");
  const Plan plan = make_plan(campaign);
  EXPECT_EQ(plan.experiments[0].backend, "x");
  EXPECT_EQ(plan.experiments[1].backend, "y");
  EXPECT_EQ(canonical_json(plan.experiments[1].config), R"({"backend":"y","tp":1})");
}

TEST(Axes, AnEmptyOneOrARepeatedValueIsAProblem) {
  EXPECT_THAT(problem(with_axes(R"({"a":[]})")), HasSubstr("axes.a: expected a list"));
  EXPECT_THAT(problem(with_axes(R"({"a":[1,1]})")), HasSubstr("the value 1 stands here twice"));
}

TEST(Axes, OneIsNotOnePointZero) {
  EXPECT_EQ(make_plan(with_axes(R"({"a":[1,1.0]})")).experiments.size(), 2U);
}

TEST(Axes, TooManyPointsAreRefused) {
  std::string values = "1";
  for (int i = 2; i <= 1000; ++i) values += "," + std::to_string(i);
  const Campaign campaign = with_axes("{\"a\":[" + values + "],\"b\":[" + values + "],\"c\":[" +
                                      values + "],\"d\":[" + values + "]}");
  EXPECT_THAT(problem(campaign), HasSubstr("cross to more than"));
}

TEST(Axes, AMillionRunsTooManyAreRefused) {
  Campaign campaign = with_axes(R"({"a":[1,2]})");
  campaign.execution.cycles = 10'000'000;
  EXPECT_THAT(problem(campaign), HasSubstr("are too many"));
}

TEST(Zip, PairsAxesInsteadOfCrossing) {
  Campaign campaign = with_axes(R"({"a":[1,2],"c":[0],"b":[8,9]})");
  campaign.zip = {{"a", "b"}};
  EXPECT_THAT(configs(make_plan(campaign)),
              ElementsAre(R"({"a":1,"b":8,"c":0})", R"({"a":2,"b":9,"c":0})"));
}

TEST(Zip, UnequalLengthsAreAProblemWithTheirPlace) {
  Campaign campaign = with_axes(R"({"a":[1,2],"b":[8,9,10]})");
  campaign.zip = {{"a", "b"}};
  Value group = Value::list({});
  group.set_origin({"demo.yaml", 4, 7});
  campaign.document.set_path("zip", Value::list({group}));
  EXPECT_EQ(problem(campaign),
            "demo.yaml:4:7: zip: `a` has 2 values and `b` has 3; zipped axes need equally many");
}

TEST(Zip, OfAnUnknownKeyIsAProblem) {
  Campaign campaign = with_axes(R"({"a":[1]})");
  campaign.zip = {{"a", "bb"}};
  EXPECT_THAT(problem(campaign), HasSubstr("`bb` is no axis"));
}

TEST(Zip, PairsBackendsWithTheirModels) {
  Campaign campaign = with_axes(R"({"n":[1,2],"backend":["x","y"],"model":["p","q"]})");
  campaign.zip = {{"backend", "model"}};
  EXPECT_THAT(names(make_plan(campaign)), ElementsAre("x-p-n1", "x-p-n2", "y-q-n1", "y-q-n2"));
}

TEST(Zip, GivesAsManyPointsAsItsAxesAreLong) {
  for (int length = 1; length <= 6; ++length) {
    std::string values = "0";
    for (int i = 1; i < length; ++i) values += "," + std::to_string(i);
    Campaign campaign = with_axes("{\"a\":[" + values + "],\"b\":[" + values + "],\"c\":[1,2,3]}");
    campaign.zip = {{"b", "a"}};
    const Plan plan = make_plan(campaign);
    EXPECT_EQ(plan.experiments.size(), static_cast<std::size_t>(length) * 3U);
    for (const Experiment& each : plan.experiments)
      EXPECT_EQ(*each.config.find("a"), *each.config.find("b"));
  }
}

TEST(Exclude, DropsPointsWhereAllKeysMatch) {
  Campaign campaign = with_axes(R"({"a":[1,2],"b":[8,9]})");
  campaign.exclude = {from_json(R"({"a":1,"b":9})"), from_json(R"({"b":8,"a":2})")};
  EXPECT_THAT(configs(make_plan(campaign)), ElementsAre(R"({"a":1,"b":8})", R"({"a":2,"b":9})"));
}

TEST(Exclude, KeepsExactlyWhatNoRuleMatches) {
  for (int a = 1; a <= 3; ++a)
    for (int b = 1; b <= 4; ++b) {
      Campaign campaign = with_axes(R"({"a":[1,2,3],"b":[1,2,3,4],"c":[5,6]})");
      campaign.exclude = {from_json("{\"a\":" + std::to_string(a) + "}"),
                          from_json("{\"b\":" + std::to_string(b) + ",\"c\":6}")};
      const Plan plan = make_plan(campaign);
      EXPECT_EQ(plan.experiments.size(), 24U - 8U - 2U);
      for (const Experiment& each : plan.experiments) {
        const bool first = each.config.find("a")->as_integer() == a;
        const bool second =
            each.config.find("b")->as_integer() == b && each.config.find("c")->as_integer() == 6;
        EXPECT_FALSE(first || second);
      }
    }
}

TEST(Exclude, OfAnUnknownKeyIsAProblemAndOfNothingAWarning) {
  Campaign campaign = with_axes(R"({"a":[1,2]})");
  campaign.exclude = {from_json(R"({"aa":1})")};
  EXPECT_THAT(problem(campaign), HasSubstr("`aa` is no axis"));
  campaign.exclude = {from_json(R"({"a":"1"})")};
  EXPECT_THAT(make_plan(campaign).warnings, ElementsAre(HasSubstr("drops nothing")));
}

TEST(Exclude, OfEverythingLeavesNoExperiments) {
  Campaign campaign = with_axes(R"({"a":[1]})");
  campaign.exclude = {from_json(R"({"a":1})")};
  EXPECT_THAT(problem(campaign), HasSubstr("no experiments"));
}

TEST(PerBackend, AddsAxesAndValuesToOneBackend) {
  Campaign campaign = with_axes(R"({"backend":["x","y"],"n":[1]})");
  campaign.per_backend["y"] = {from_json(R"({"tp":[1,2]})"), from_json(R"({"mode":"fast"})")};
  EXPECT_THAT(
      configs(make_plan(campaign)),
      ElementsAre(R"({"backend":"x","n":1})", R"({"backend":"y","mode":"fast","n":1,"tp":1})",
                  R"({"backend":"y","mode":"fast","n":1,"tp":2})"));
}

TEST(PerBackend, ReplacesACommonAxisForItsBackend) {
  Campaign campaign = with_axes(R"({"backend":["x","y"],"n":[1,2]})");
  campaign.per_backend["y"].axes = from_json(R"({"n":[7]})");
  EXPECT_THAT(names(make_plan(campaign)), ElementsAre("x-n1", "x-n2", "y-n7"));
}

TEST(PerBackend, OfABackendThatNothingUsesWarns) {
  Campaign campaign = with_axes(R"({"backend":["x"]})");
  campaign.per_backend["z"].set = from_json(R"({"m":1})");
  EXPECT_THAT(make_plan(campaign).warnings,
              ElementsAre(HasSubstr("no experiment has this backend")));
}

TEST(PerBackend, MayNotSetBackend) {
  Campaign campaign = with_axes(R"({"backend":["x"]})");
  campaign.per_backend["x"].set = from_json(R"({"backend":"y"})");
  EXPECT_THAT(problem(campaign), HasSubstr("use `axes.backend`"));
}

TEST(Precedence, AxesWinOverPerBackendOverSet) {
  Campaign campaign = with_axes(R"({"backend":["x"],"c":[3]})");
  campaign.set = from_json(R"({"a":1,"b":1,"c":1})");
  campaign.per_backend["x"].set = from_json(R"({"b":2,"c":2})");
  const Plan plan = make_plan(campaign);
  EXPECT_THAT(configs(plan), ElementsAre(R"({"a":1,"b":2,"backend":"x","c":3})"));
}

TEST_F(ConfigFolder, AFileIsTheLowestLayerAndAnEntrysSetTheHighest) {
  Campaign campaign = small_campaign();
  campaign.set = from_json(R"({"b":2,"c":2,"d.e":2})");
  campaign.experiments = {{.name = "one",
                           .config = file("f.yaml", "a: 1\nb: 1\nc: 1\nd: {e: 1, f: 1}\n"),
                           .backend = "",
                           .set = from_json(R"({"c":3})"),
                           .origin = {"demo.yaml", 9, 5}}};
  const Plan plan = make_plan(campaign);
  EXPECT_THAT(configs(plan), ElementsAre(R"({"a":1,"b":2,"c":3,"d":{"e":2,"f":1}})"));
  std::vector<std::string> told;
  for (const Provenance& each : plan.experiments[0].provenance)
    told.push_back(each.key + "=" + each.value + " " + each.source);
  EXPECT_THAT(told,
              ElementsAre("a=1 file", "b=2 set", "c=3 experiment", "d.e=2 set", "d.f=1 file"));
  EXPECT_THAT(plan.experiments[0].provenance[0].source_detail, HasSubstr("f.yaml:1:"));
}

TEST_F(ConfigFolder, ValuesOfTheCommandLineAreToldFromThoseOfTheFile) {
  Campaign campaign = small_campaign();
  campaign.configs = {file("f.yaml", "a: 1\n")};
  Value given = Value::integer(6);
  given.set_origin({"--set", 0, 0});
  Value written = Value::integer(5);
  written.set_origin({"demo.yaml", 3, 9});
  campaign.set = Value::map({{"b", written}, {"c", given}});
  const auto provenance = make_plan(campaign).experiments[0].provenance;
  EXPECT_EQ(provenance[1].source, "set");
  EXPECT_EQ(provenance[1].source_detail, "demo.yaml:3:9");
  EXPECT_EQ(provenance[2].source, "cli");
}

TEST_F(ConfigFolder, SourcesAreConcatenatedFilesAxesEntries) {
  Campaign campaign = with_axes(R"({"n":[1,2]})");
  campaign.configs = {file("b.yaml", "n: 8\n"), file("a.yaml", "n: 9\n_metadata: {by: me}\n")};
  campaign.experiments = {
      {.name = "last", .config = "", .backend = "", .set = from_json(R"({"n":7})"), .origin = {}}};
  const Plan plan = make_plan(campaign);
  EXPECT_THAT(names(plan), ElementsAre("b", "a", "n1", "n2", "last"));
  EXPECT_THAT(configs(plan),
              ElementsAre(R"({"n":8})", R"({"n":9})", R"({"n":1})", R"({"n":2})", R"({"n":7})"));
  EXPECT_EQ(canonical_json(plan.experiments[1].axes), R"({"n":9})");
}

TEST_F(ConfigFolder, BracesInAFileAreItsOwn) {
  Campaign campaign = small_campaign();
  campaign.configs = {file("f.yaml", "prompt: \"say {p.nothing}\"\n")};
  EXPECT_THAT(configs(make_plan(campaign)), ElementsAre(R"({"prompt":"say {p.nothing}"})"));
}

TEST_F(ConfigFolder, TwoFilesOfOneStemNeedAConfigName) {
  Campaign campaign = small_campaign();
  campaign.configs = {file("x/a.yaml", "n: 1\n"), file("y/a.yaml", "n: 2\n")};
  EXPECT_THAT(problem(campaign), HasSubstr("are both named `a`"));
  campaign.configs[1] = file("y/a.yaml", "n: 2\nconfig_name: other\n");
  EXPECT_THAT(names(make_plan(campaign)), ElementsAre("a", "other"));
}

TEST_F(ConfigFolder, AFileThatIsMissingIsAProblem) {
  Campaign campaign = small_campaign();
  campaign.configs = {"/nowhere/a.yaml"};
  EXPECT_THAT(problem(campaign), HasSubstr("/nowhere/a.yaml"));
}

TEST(Placeholders, InSetReferToResolvedValuesAndKeepTheirKind) {
  Campaign campaign = with_axes(R"({"tp":[1,2]})");
  campaign.set =
      from_json(R"({"gpus":"{p.tp}","tag":"g{p.gpus}-{vars.v}","deep":{"x":["{p.tp}"]}})");
  campaign.vars = from_json(R"({"v":"z"})");
  EXPECT_THAT(configs(make_plan(campaign)),
              ElementsAre(R"({"deep":{"x":[1]},"gpus":1,"tag":"g1-z","tp":1})",
                          R"({"deep":{"x":[2]},"gpus":2,"tag":"g2-z","tp":2})"));
}

TEST(Placeholders, ReachIntoAMapThatIsItselfFilledIn) {
  Campaign campaign = with_axes(R"({"n":[1]})");
  campaign.set = from_json(R"({"z":"{p.copy.x}","copy":"{p.from}","from":{"x":"v{p.n}"}})");
  EXPECT_THAT(configs(make_plan(campaign)),
              ElementsAre(R"({"copy":{"x":"v1"},"from":{"x":"v1"},"n":1,"z":"v1"})"));
}

TEST(Placeholders, InACircleAreAProblemThatNamesTheCircle) {
  Campaign campaign = with_axes(R"({"n":[1]})");
  campaign.set = from_json(R"({"a":"{p.b}","b":"x{p.c}","c":"{p.a}"})");
  EXPECT_THAT(problem(campaign), HasSubstr("in a circle: a -> b -> c -> a"));
  campaign.set = from_json(R"({"a":"{p.a}"})");
  EXPECT_THAT(problem(campaign), HasSubstr("in a circle: a -> a"));
}

TEST(Placeholders, OfNoParameterAreAProblem) {
  Campaign campaign = with_axes(R"({"model":["m"]})");
  campaign.set = from_json(R"({"a":"{p.modl}"})");
  EXPECT_THAT(problem(campaign), HasSubstr("{p.modl}: no such parameter"));
  campaign.set = Value();
  campaign.runner->command = {"run", "{p.modl}"};
  EXPECT_THAT(problem(campaign), HasSubstr("runner: {p.modl}: no such parameter"));
}

TEST(Placeholders, OfARunStayAsWritten) {
  Campaign campaign = with_axes(R"({"n":[1]})");
  campaign.set = from_json(R"({"out":"{results}/x"})");
  EXPECT_THAT(configs(make_plan(campaign)), ElementsAre(R"({"n":1,"out":"{results}/x"})"));
}

TEST(Plan, WithoutExperimentsOrRunnerIsAProblem) {
  EXPECT_THAT(problem(small_campaign()), HasSubstr("/c/demo.yaml: no experiments; give `axes`"));
  Campaign campaign = with_axes(R"({"n":[1]})");
  campaign.runner.reset();
  EXPECT_THAT(problem(campaign), HasSubstr("no runner; give `runner`"));
}

TEST(Plan, SeedIsTheCampaignsOrComesFromItsName) {
  Campaign campaign = with_axes(R"({"n":[1,2,3,4]})");
  EXPECT_EQ(make_plan(campaign).seed, 3069011196268734596ULL);
  campaign.execution.seed = 0;
  const Plan plan = make_plan(campaign);
  EXPECT_EQ(plan.seed, 0U);
  EXPECT_EQ(run_id(plan, plan.runs[0]), "n4.c01");
}

TEST(Plan, RunIdsHaveAtLeastTwoDigits) {
  const Experiment experiment = known_experiment("x", "");
  EXPECT_EQ(run_id(experiment, 7), "x.c07");
  EXPECT_EQ(run_id(experiment, 123), "x.c123");
  EXPECT_EQ(pilot_id(experiment), "x.p");
}

TEST(Plan, WarnsOfOrdersThatCannotBeFair) {
  Campaign campaign = with_axes(R"({"n":[1,2,3]})");
  campaign.execution.structure = Structure::balanced;
  campaign.execution.cycles = 4;
  EXPECT_THAT(make_plan(campaign).warnings, ElementsAre(HasSubstr("a multiple of 6 cycles")));
  campaign.execution.cycles = 6;
  EXPECT_THAT(make_plan(campaign).warnings, IsEmpty());
  campaign.execution.structure = Structure::interleaved;
  campaign.execution.cycle_gap_seconds = 1;
  EXPECT_THAT(make_plan(campaign).warnings, ElementsAre(HasSubstr("starts cooler")));
}

}  // namespace
}  // namespace campaign
