#include <set>

#include "tests/campaign/plan_support.hpp"

namespace campaign {
namespace {

using testing::HasSubstr;

const Value batch = from_json(R"({"batch":4})");

std::string hash(const Runner& runner, const Value& config = batch) {
  return experiment_hash(small_campaign(), config, runner);
}

Runner usual() {
  Runner runner = image_runner("img:1");
  runner.command.push_back("{p.batch}");
  return runner;
}

TEST(Identity, IsSha256OfCanonicalJson) {
  EXPECT_EQ(hash(usual()), "cbf9f7743fd359f00507128bfdc56103dd8981342e16a4a3cdc4be7c19a8fcd6");
}

TEST(Identity, DoesNotDependOnTheOrderOfKeys) {
  EXPECT_EQ(hash(usual(), from_json(R"({"batch":4,"a":1})")),
            hash(usual(), from_json(R"({"a":1,"batch":4})")));
}

TEST(Identity, OneIsNotOnePointZero) {
  EXPECT_NE(hash(usual(), from_json(R"({"batch":1})")),
            hash(usual(), from_json(R"({"batch":1.0})")));
}

TEST(Identity, ProtocolIsNotInIt) {
  Runner runner = usual();
  runner.timeout = 5;
  runner.stall_timeout = 6;
  runner.stop_grace_period = 7;
  runner.estimate = 8;
  runner.timeout_written = true;
  runner.pull = PullPolicy::always;
  runner.processes = 2;
  EXPECT_EQ(hash(runner), hash(usual()));
}

TEST(Identity, EveryFieldThatReachesThePayloadIsInIt) {
  const std::vector<void (*)(Runner&)> edits = {
      [](Runner& r) { r.type = RunnerType::local; },
      [](Runner& r) { r.image = "img:2"; },
      [](Runner& r) { r.command.push_back("x"); },
      [](Runner& r) { r.entrypoint = Argv{}; },
      [](Runner& r) { r.workdir = "/w"; },
      [](Runner& r) { r.env["A"] = "1"; },
      [](Runner& r) { r.env_file = {"/c/e"}; },
      [](Runner& r) { r.shell = true; },
      [](Runner& r) { r.launch = {"nice"}; },
      [](Runner& r) { r.user = "image"; },
      [](Runner& r) { r.volumes = {{"/d", "/d", false}}; },
      [](Runner& r) { r.volumes = {{"/d", "/d", true}}; },
      [](Runner& r) { r.tmpfs["/t"] = ""; },
      [](Runner& r) { r.shm_size = 1; },
      [](Runner& r) { r.ulimits = {{"nofile", 1, 2}}; },
      [](Runner& r) { r.cpus = 1; },
      [](Runner& r) { r.cpuset_cpus = "0"; },
      [](Runner& r) { r.memory = 1; },
      [](Runner& r) { r.pids_limit = 1; },
      [](Runner& r) { r.network = "host"; },
      [](Runner& r) { r.ipc = "host"; },
      [](Runner& r) { r.init = false; },
      [](Runner& r) { r.cap_add = {"X"}; },
      [](Runner& r) { r.cap_drop = {"X"}; },
      [](Runner& r) { r.security_opt = {"X"}; },
      [](Runner& r) { r.read_only = true; },
      [](Runner& r) { r.privileged = true; },
      [](Runner& r) { r.window = Window{"a", "b"}; },
      [](Runner& r) { r.env_compat_lem = true; }};
  std::set<std::string> hashes{hash(usual())};
  for (const auto& edit : edits) {
    Runner runner = usual();
    edit(runner);
    EXPECT_TRUE(hashes.insert(hash(runner)).second) << hashes.size();
  }
}

TEST(Identity, LeavesVariablesOfTheEnvironmentAndRunLevelNamesAsWritten) {
  Runner runner = usual();
  runner.env = {{"TOKEN", "${HF_TOKEN}"}, {"OUT", "{results}"}, {"B", "{p.batch}"}};
  const Value effective = effective_runner(small_campaign(), batch, runner);
  EXPECT_EQ(canonical_json(*effective.find("env")),
            R"({"B":"4","OUT":"{results}","TOKEN":"${HF_TOKEN}"})");
}

TEST(Identity, IsTheSameWhereverTheCampaignsFolderLies) {
  Campaign moved = small_campaign();
  moved.folder = "/elsewhere";
  Runner here = usual();
  here.volumes = {{"/c/data", "/data", true}};
  Runner there = usual();
  there.volumes = {{"/elsewhere/data", "/data", true}};
  EXPECT_EQ(hash(here), experiment_hash(moved, batch, there));
}

TEST(Identity, TwoExperimentsOfOneHashAreAProblemThatNamesBoth) {
  Campaign campaign = small_campaign();
  for (const char* name : {"a", "b"})
    campaign.experiments.push_back(
        {.name = name, .config = "", .backend = "", .set = batch, .origin = {"demo.yaml", 2, 1}});
  EXPECT_THAT(problem(campaign),
              HasSubstr("`a` (demo.yaml:2:1) and `b` (demo.yaml:2:1) have the same values"));
}

}  // namespace
}  // namespace campaign
