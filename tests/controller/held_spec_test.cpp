#include "controller/runners/held_spec.hpp"

#include <gmock/gmock.h>

#include "controller/runners/runner.hpp"
#include "tests/support/controller/bench.hpp"

namespace controller::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using ::testing::StartsWith;

class HeldSpec : public ::testing::Test {
 protected:
  void make(const std::string& keys) {
    bench_ = std::make_unique<Bench>("name: k\ngpus: none\nexperiments: [{name: one}]\nrunner:\n" +
                                     keys);
    attempt_ = bench_->attempt();
    attempt_->service = "runner";
    attempt_->container_name = held_name(belonging_.uid, "runner", 2);
    attempt_->worker = 2;
    site_.launcher = "/state/launch-1";
    site_.user = "1000:100";
    site_.user_name = "someone";
    for (const char* image : {"probe", "other"})
      site_.images[image] = {.info = {.id = std::string("sha256:") + image,
                                      .workdir = "/image",
                                      .entrypoint = {"/entry"},
                                      .command = {"serve"}}};
  }
  DockerSpecRequest request() {
    payload_ = resolve_payload(bench_->payload(), *attempt_, shared_view(*attempt_));
    return {.attempt = attempt_.get(),
            .payload = &payload_,
            .site = &site_,
            .belonging = &belonging_,
            .home = shared_view(*attempt_).home};
  }
  container::ContainerSpec held() { return held_spec(request(), bench_->context().results); }
  container::ContainerSpec server() {
    const ServerPayload made =
        resolve_server(bench_->payload(), *attempt_, container_view(*attempt_));
    return server_spec({.attempt = attempt_.get(),
                        .payload = &made.payload,
                        .site = &site_,
                        .belonging = &belonging_},
                       made.ports);
  }

  std::unique_ptr<Bench> bench_;
  AttemptPtr attempt_;
  Payload payload_;
  Site site_;
  Belonging belonging_{.uid = "0123456789abcdef",
                       .campaign_id = "k",
                       .session = "s",
                       .controller = "c-1",
                       .host = "h",
                       .lock = "/l"};
};

TEST_F(HeldSpec, LauncherHoldsItAndItSaysWhoseItIs) {
  make("  {image: probe, command: [work], strategy: persistent, memory: 8m}\n");
  const container::ContainerSpec spec = held();
  EXPECT_EQ(spec.name, "cctl-01234567-runner-w2");
  EXPECT_THAT(*spec.entrypoint, ElementsAre("/campaign/launch", "--hold"));
  EXPECT_TRUE(spec.command.empty());
  EXPECT_EQ(spec.user, "1000:100");
  EXPECT_EQ(spec.memory, 8 << 20);
  EXPECT_TRUE(spec.health) << "the image's own check is kept";
  EXPECT_EQ(spec.labels.at("campaignctl.service"), "runner");
  EXPECT_EQ(spec.labels.at("campaignctl.worker"), "2");
  EXPECT_EQ(spec.labels.at("campaignctl.uid"), belonging_.uid);
  EXPECT_FALSE(spec.labels.contains("campaignctl.run"));
}

TEST_F(HeldSpec, FoldersOfAllAttemptsAreThereAndConfigsOnlyToBeRead) {
  make("  {image: probe, command: [work], strategy: persistent}\n");
  std::map<std::string, bool> mounts;
  for (const container::Mount& mount : held().mounts) mounts[mount.target] = mount.read_only;
  for (const char* target : {"runs", "pilot", "warmup", "home", "ctl"})
    EXPECT_FALSE(mounts.at(std::string("/campaign/") + target)) << target;
  EXPECT_TRUE(mounts.at("/campaign/config"));
  EXPECT_TRUE(mounts.at("/campaign/launch"));
  EXPECT_FALSE(mounts.contains("/campaign/results"));
}

TEST_F(HeldSpec, ExecSaysUserFolderAndEveryVariable) {
  make("  {image: probe, command: ['{results}', '{config}'], strategy: persistent, env: {A: b}}\n");
  const container::ExecRun run = exec_run(request());
  EXPECT_EQ(run.name, "one.c01.a1");
  EXPECT_EQ(run.user, "1000:100");
  EXPECT_EQ(run.working_dir, "/image");
  EXPECT_THAT(run.command, ElementsAre("/entry", "/campaign/runs/one.c01.a1",
                                       "/campaign/config/one.c01.a1/config.yaml"));
  for (const char* line : {"A=b", "CAMPAIGN_RESULTS_DIR=/campaign/runs/one.c01.a1",
                           "CAMPAIGN_CONFIG=/campaign/config/one.c01.a1/config.yaml",
                           "HOME=/campaign/home/one", "CAMPAIGN_PHASE=measure"})
    EXPECT_THAT(run.env, Contains(line));
  EXPECT_EQ(run.out, "/campaign/ctl/one.c01.a1");
  EXPECT_EQ(run.out_here, attempt_->paths.ctl);
}

TEST_F(HeldSpec, ExecHasTheGpuVariableOfItsContainer) {
  make(
      "  {image: probe, command: [a], strategy: persistent, env: {NVIDIA_VISIBLE_DEVICES: all}}\n");
  EXPECT_THAT(exec_run(request()).env, Not(Contains(StartsWith("NVIDIA_VISIBLE_DEVICES="))));
  EXPECT_THAT(warmup_run(request(), 1).env, Not(Contains(StartsWith("NVIDIA_VISIBLE_DEVICES="))));
}

TEST_F(HeldSpec, UserOfTheImageIsSaidToo) {
  make("  {image: probe, command: [a], strategy: persistent, user: image}\n");
  EXPECT_EQ(exec_run(request()).user, "0:0");
  site_.images["probe"].info.user = "app";
  EXPECT_EQ(exec_run(request()).user, "app");
}

TEST_F(HeldSpec, PilotsAndWarmupsWriteElsewhere) {
  make("  {image: probe, command: ['{results}'], strategy: persistent, warmup_command: [w]}\n");
  const Payload warm = resolve_warmup(bench_->payload(), *attempt_, warmup_view(*attempt_));
  EXPECT_THAT(warm.command, ElementsAre("w"));
  EXPECT_EQ(warm.env.at("CAMPAIGN_PHASE"), "warmup");
  EXPECT_EQ(warm.env.at("CAMPAIGN_RESULTS_DIR"), "/campaign/warmup/one.c01.a1");
  attempt_->pilot = true;
  EXPECT_EQ(shared_view(*attempt_).results, "/campaign/pilot/one.c01.a1");
}

TEST_F(HeldSpec, HashChangesWithTheContainerAndNotWithTheRun) {
  make("  {image: probe, command: ['{run_id}'], strategy: persistent, env: {A: b}}\n");
  const std::string hash = held().labels.at("campaignctl.spec-hash");
  attempt_->number = 2;
  attempt_->worker = 5;
  EXPECT_EQ(held().labels.at("campaignctl.spec-hash"), hash);
  campaign::Runner runner = *attempt_->runner;
  runner.env["A"] = "c";
  runner.command = {"other"};
  attempt_->runner = &runner;
  EXPECT_EQ(held().labels.at("campaignctl.spec-hash"), hash);
  runner.memory = 8 << 20;
  EXPECT_NE(held().labels.at("campaignctl.spec-hash"), hash);
}

TEST_F(HeldSpec, WithoutALauncherItIsRefused) {
  make("  {image: probe, command: [a], strategy: persistent}\n");
  site_.images["probe"].launcher = false;
  EXPECT_THROW(held(), PrepareError);
}

TEST_F(HeldSpec, ServerAndClientMeetInTheNetworkOfTheirWorker) {
  make(
      "  {image: probe, command: [ask], server: {image: other, command: [s, '{experiment}'], "
      "env: {S: '{cycle}'}, ports: ['127.0.0.1:8080:80', '90']}}\n");
  const container::ContainerSpec spec = server();
  EXPECT_EQ(spec.name, "cctl-01234567-one.c01-a1-server");
  EXPECT_EQ(spec.image, "sha256:other");
  EXPECT_THAT(spec.command, ElementsAre("/entry", "s", "one"));
  EXPECT_THAT(spec.env, Contains("S=1"));
  EXPECT_THAT(spec.env, Not(Contains(StartsWith("CAMPAIGN_RESULTS_DIR="))));
  ASSERT_EQ(spec.networks.size(), 1u);
  EXPECT_EQ(spec.networks[0].network, "cctl-01234567-w2");
  EXPECT_THAT(spec.networks[0].aliases, ElementsAre("server"));
  ASSERT_EQ(spec.ports.size(), 2u);
  EXPECT_EQ(spec.ports[0].target, 80);
  EXPECT_EQ(spec.ports[0].published, "8080");
  EXPECT_EQ(spec.ports[0].host_ip, "127.0.0.1");
  EXPECT_EQ(spec.ports[1].target, 90);
  EXPECT_TRUE(spec.labels.contains("campaignctl.server"));
  EXPECT_EQ(spec.labels.at("campaignctl.run"), "one.c01");
  const container::ContainerSpec client = docker_spec(request());
  ASSERT_EQ(client.networks.size(), 1u);
  EXPECT_EQ(client.networks[0].network, "cctl-01234567-w2");
  EXPECT_TRUE(client.networks[0].aliases.empty());
}

TEST_F(HeldSpec, ServersAreTheSameWhateverRunTheyAreFor) {
  make("  {image: probe, command: ['{run_id}'], server: {command: [s], reuse: while_same}}\n");
  const std::string hash = spec_hash(server());
  attempt_->run = "one.c02";
  attempt_->planned.cycle = 2;
  attempt_->paths.ctl = "/elsewhere";
  attempt_->paths.home = "/elsewhere/home";
  EXPECT_EQ(spec_hash(server()), hash);
  campaign::Runner runner = *attempt_->runner;
  runner.server->command = {"t"};
  attempt_->runner = &runner;
  EXPECT_NE(spec_hash(server()), hash);
}

TEST(ServiceOf, IsTheKeyOfTheRunnerOrTheServiceOfTheComposeFile) {
  campaign::Campaign campaign;
  campaign.runners["vllm"] = {};
  campaign::Runner runner;
  campaign::Experiment experiment{.name = {}, .backend = "vllm"};
  Attempt attempt;
  attempt.runner = &runner;
  attempt.experiment = &experiment;
  EXPECT_EQ(service_of(campaign, attempt), "vllm");
  experiment.backend = "other";
  EXPECT_EQ(service_of(campaign, attempt), "runner");
  runner.type = campaign::RunnerType::compose;
  runner.service = "engine";
  EXPECT_EQ(service_of(campaign, attempt), "engine");
  EXPECT_EQ(held_name("0123456789", "A b", 1), "cctl-01234567-a-b-w1");
}

}  // namespace
}  // namespace controller::test
