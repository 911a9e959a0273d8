#include "controller/runners/docker_spec.hpp"

#include <gmock/gmock.h>

#include "container/engine_json.hpp"
#include "controller/runners/runner.hpp"
#include "tests/support/controller/bench.hpp"

namespace controller::test {
namespace {

using ::testing::ElementsAre;

constexpr char everything[] = R"(name: k
gpus: none
experiments: [{name: one}]
runner:
  image: probe
  command: [work, "{run_id}"]
  workdir: /w
  env: {A: b}
  user: host
  volumes: ["/h:/t:ro", "named:/n"]
  tmpfs: ["/scratch:size=1m"]
  shm_size: 1m
  ulimits: {nofile: {soft: 10, hard: 20}}
  cpus: 1.5
  cpuset_cpus: "0-1"
  memory: 8m
  pids_limit: 9
  network: none
  ipc: private
  init: false
  cap_add: [SYS_NICE]
  cap_drop: [ALL]
  security_opt: [no-new-privileges]
  read_only: true
  privileged: true
  stop_grace_period: 2.5
  window: {begin: go, end: stop}
)";

class DockerSpec : public ::testing::Test {
 protected:
  explicit DockerSpec(const std::string& text = everything)
      : bench_(text), attempt_(bench_.attempt()) {
    site_.launcher = "/state/launch-1";
    site_.user = "1000:100";
    site_.user_name = "someone";
    site_.images["probe"] = {
        .info = {.id = "sha256:1", .entrypoint = {"/entry"}, .command = {"serve"}},
        .passwd = "/state/passwd-1"};
  }
  container::ContainerSpec spec() {
    const Payload payload = resolve_payload(bench_.payload(), *attempt_, container_view(*attempt_));
    return docker_spec(
        {.attempt = attempt_.get(), .payload = &payload, .site = &site_, .belonging = &belonging_});
  }

  Bench bench_;
  AttemptPtr attempt_;
  Site site_;
  Belonging belonging_{.uid = "0123456789abcdef",
                       .campaign_id = "k",
                       .session = "s",
                       .controller = "c-1",
                       .host = "h",
                       .lock = "/l"};
};

class SmallSpec : public DockerSpec {
 protected:
  SmallSpec()
      : DockerSpec("name: k\ngpus: none\nexperiments: [{name: one}]\nrunner: {image: probe}\n") {}
  campaign::Runner& runner() {
    runner_ = *attempt_->runner;
    attempt_->runner = &runner_;
    return runner_;
  }
  campaign::Runner runner_;
};

TEST_F(DockerSpec, EveryFieldIsHandedOn) {
  const container::ContainerSpec got = spec();
  EXPECT_EQ(got.name, "cctl-01234567-one.c01-a1");
  EXPECT_EQ(got.image, "sha256:1");
  EXPECT_EQ(got.user, "1000:100");
  EXPECT_EQ(got.working_dir, "/w");
  EXPECT_EQ(got.tmpfs, (std::map<std::string, std::string>{{"/scratch", "size=1m"}}));
  EXPECT_EQ(got.shm_size, 1 << 20);
  EXPECT_EQ(got.memory, 8 << 20);
  EXPECT_EQ(got.pids_limit, 9);
  EXPECT_EQ(got.cpus, 1.5);
  EXPECT_EQ(got.cpuset_cpus, "0-1");
  ASSERT_EQ(got.ulimits.size(), 1u);
  EXPECT_EQ(got.ulimits[0].name, "nofile");
  EXPECT_EQ(got.ulimits[0].soft, 10);
  EXPECT_EQ(got.ulimits[0].hard, 20);
  EXPECT_EQ(got.network, "none");
  EXPECT_EQ(got.ipc, "private");
  EXPECT_FALSE(got.init);
  EXPECT_TRUE(got.read_only);
  EXPECT_TRUE(got.privileged);
  EXPECT_THAT(got.cap_add, ElementsAre("SYS_NICE"));
  EXPECT_THAT(got.cap_drop, ElementsAre("ALL"));
  EXPECT_THAT(got.security_opt, ElementsAre("no-new-privileges"));
  EXPECT_EQ(got.stop_timeout, 3);
}

TEST_F(DockerSpec, LauncherIsTheEntryWithWindowAndRun) {
  const container::ContainerSpec got = spec();
  EXPECT_THAT(*got.entrypoint,
              ElementsAre("/campaign/launch", "--run", "one.c01.a1", "--out", "/campaign/ctl",
                          "--window-begin", "go", "--window-end", "stop", "--"));
  EXPECT_THAT(got.command, ElementsAre("/entry", "work", "one.c01"));
}

TEST_F(DockerSpec, MountsAreThePayloadsOursAndTheWrittenOnes) {
  std::string text;
  for (const container::Mount& mount : spec().mounts)
    text += mount.source + ">" + mount.target + (mount.read_only ? " ro" : "") +
            (mount.volume ? " volume" : "") + "\n";
  const AttemptPaths& paths = attempt_->paths;
  EXPECT_EQ(text, paths.results.string() + ">/campaign/results\n" + paths.home.string() +
                      ">/campaign/home\n" + (paths.ctl / "config.yaml").string() +
                      ">/campaign/config.yaml ro\n" + paths.ctl.string() + ">/campaign/ctl\n" +
                      "/state/launch-1>/campaign/launch ro\n" +
                      "/state/passwd-1>/etc/passwd ro\n/h>/t ro\nnamed>/n volume\n");
}

TEST_F(DockerSpec, LabelsSayWhoseItIs) {
  const auto labels = spec().labels;
  EXPECT_EQ(labels, (std::map<std::string, std::string>{
                        {"campaignctl.uid", "0123456789abcdef"},
                        {"campaignctl.campaign", "k"},
                        {"campaignctl.session", "s"},
                        {"campaignctl.run", "one.c01"},
                        {"campaignctl.attempt", "1"},
                        {"campaignctl.spec-hash", attempt_->experiment->hash},
                        {"campaignctl.controller", "c-1"},
                        {"campaignctl.host", "h"},
                        {"campaignctl.lock", "/l"},
                        {"campaignctl.gpus", ""}}));
}

TEST_F(DockerSpec, PrivilegedReachesTheRequest) {
  EXPECT_NE(container::engine_json::create_body(spec()).find("\"Privileged\":true"),
            std::string::npos);
}

TEST_F(SmallSpec, DefaultsLeaveTheEngineItsOwn) {
  const container::ContainerSpec got = spec();
  EXPECT_TRUE(got.init);
  EXPECT_FALSE(got.privileged);
  EXPECT_FALSE(got.shm_size || got.memory || got.pids_limit || got.cpus);
  EXPECT_THAT(got.command, ElementsAre("/entry", "serve"));
}

TEST_F(SmallSpec, HomeAndNameComeWithTheHostUserOnly) {
  EXPECT_THAT(spec().env, ::testing::IsSupersetOf({"HOME=/campaign/home", "USER=someone",
                                                   "XDG_CACHE_HOME=/campaign/home/.cache"}));
  runner().user = "image";
  const container::ContainerSpec got = spec();
  EXPECT_EQ(got.user, "");
  EXPECT_THAT(got.env, ::testing::Not(::testing::Contains("HOME=/campaign/home")));
  for (const container::Mount& mount : got.mounts) EXPECT_NE(mount.target, "/etc/passwd");
  runner().user = "5:6";
  EXPECT_EQ(spec().user, "5:6");
}

TEST_F(SmallSpec, WrittenHomeWins) {
  runner().env = {{"HOME", "/elsewhere"}};
  EXPECT_THAT(spec().env, ::testing::Contains("HOME=/elsewhere"));
}

TEST_F(SmallSpec, EntrypointReplacesTheImagesEntryAndCommand) {
  runner().entrypoint = campaign::Argv{"/mine"};
  EXPECT_THAT(spec().command, ElementsAre("/mine"));
  runner().entrypoint = campaign::Argv{};
  runner().command = {"direct"};
  EXPECT_THAT(spec().command, ElementsAre("direct"));
}

TEST_F(SmallSpec, NoCommandAnywhereIsAConfigFailure) {
  site_.images["probe"].info.entrypoint.clear();
  site_.images["probe"].info.command.clear();
  try {
    spec();
    FAIL() << "no command was accepted";
  } catch (const PrepareError& error) {
    EXPECT_EQ(error.cls, campaign::FailureClass::config);
    EXPECT_STREQ(error.what(), "image probe has no command of its own: say `command`");
  }
}

TEST_F(SmallSpec, WithoutALauncherTheCommandIsTheEntry) {
  site_.images["probe"].launcher = false;
  const container::ContainerSpec got = spec();
  EXPECT_THAT(*got.entrypoint, ElementsAre("/entry"));
  EXPECT_THAT(got.command, ElementsAre("serve"));
  for (const container::Mount& mount : got.mounts) EXPECT_NE(mount.target, "/campaign/ctl");
}

TEST(ContainerName, HasUidRunAndAttempt) {
  EXPECT_EQ(container_name("0123456789abcdef", "tiny-b4.c02", 3), "cctl-01234567-tiny-b4.c02-a3");
}

}  // namespace
}  // namespace controller::test
