// Runs that are services of a compose file: what the file says, and what the runner says before it.
#include <gmock/gmock.h>

#include "controller/runners/held_spec.hpp"
#include "controller/runners/runner.hpp"
#include "tests/support/controller/bench.hpp"

namespace controller::test {
namespace {

using ::testing::ElementsAre;

class ServiceRun : public ::testing::Test {
 protected:
  ServiceRun()
      : bench_("name: k\ngpus: none\nexperiments: [{name: one}]\nrunner: {image: unused}\n"),
        attempt_(bench_.attempt()),
        runner_(*attempt_->runner) {
    runner_.type = campaign::RunnerType::compose;
    runner_.image.clear();
    runner_.service = "work";
    attempt_->runner = &runner_;
    compose::Service& service = project_.services["work"];
    service.name = "work";
    service.image = "probe";
    service.command = {"serve", "8000"};
    service.working_dir = "/app";
    service.user = "app";
    service.environment = {{"A", "file"}, {"B", "file"}};
    site_.launcher = "/state/launch-1";
    site_.user = "1000:100";
    site_.images["probe"] = {
        .info = {.id = "sha256:1", .entrypoint = {"/entry"}, .command = {"image"}}};
    base_.memory = 1 << 20;
    base_.cap_add = {"SYS_NICE"};
    base_.restart.name = "always";
    base_.tty = true;
    base_.labels = {{"com.docker.compose.service", "work"}};
    base_.mounts = {{.source = "/h", .target = "/data"}, {.source = "/i", .target = "/other"}};
    base_.networks = {{.network = "p_default", .aliases = {"work"}}};
    base_.ulimits = {{.name = "nofile", .soft = 1, .hard = 2}};
  }

  Payload payload() const {
    PayloadContext context = bench_.payload();
    context.project = &project_;
    return resolve_payload(context, *attempt_, container_view(*attempt_));
  }
  DockerSpecRequest request(const Payload& payload) const {
    return {.attempt = attempt_.get(),
            .payload = &payload,
            .site = &site_,
            .belonging = &belonging_,
            .service = &base_};
  }
  container::ContainerSpec spec() const {
    const Payload made = payload();
    return docker_spec(request(made));
  }

  Bench bench_;
  AttemptPtr attempt_;
  campaign::Runner runner_;
  compose::Project project_;
  container::ContainerSpec base_;
  Site site_;
  Belonging belonging_{.uid = "0123456789abcdef"};
};

TEST_F(ServiceRun, PayloadIsTheServicesWhereTheRunnerDoesNotSay) {
  EXPECT_THAT(payload().command, ElementsAre("serve", "8000"));
  EXPECT_EQ(payload().workdir, "/app");
  EXPECT_EQ(payload().env.at("A"), "file");
  runner_.command = {"mine"};
  runner_.workdir = "/here";
  runner_.env = {{"A", "runner"}};
  EXPECT_THAT(payload().command, ElementsAre("mine"));
  EXPECT_EQ(payload().workdir, "/here");
  EXPECT_EQ(payload().env.at("A"), "runner");
  EXPECT_EQ(payload().env.at("B"), "file");
}

TEST_F(ServiceRun, AnEntrypointOfTheServiceIsKeptBeforeTheRunnersCommand) {
  project_.services["work"].entrypoint = {"/wrap"};
  runner_.command = {"mine"};
  EXPECT_THAT(spec().command, ElementsAre("/wrap", "mine"));
  runner_.command.clear();
  runner_.entrypoint = campaign::Argv{"/own"};
  EXPECT_THAT(spec().command, ElementsAre("/own"));
}

TEST_F(ServiceRun, ServicesThatAreMissingAreAFailureOfTheConfig) {
  runner_.service = "gone";
  EXPECT_THROW(payload(), PrepareError);
}

TEST_F(ServiceRun, ContainerIsTheServicesWithTheRunnersWordsBeforeIt) {
  runner_.memory = 2 << 20;
  runner_.cap_add = {"NET_ADMIN"};
  runner_.volumes = {{.source = "/mine", .target = "/data"}};
  runner_.ulimits = {{"nofile", 5, 6}};
  const container::ContainerSpec got = spec();
  EXPECT_EQ(got.memory, 2 << 20);
  EXPECT_THAT(got.cap_add, ElementsAre("SYS_NICE", "NET_ADMIN"));
  ASSERT_EQ(got.ulimits.size(), 1u);
  EXPECT_EQ(got.ulimits[0].hard, 6);
  EXPECT_EQ(got.networks.at(0).network, "p_default");
  EXPECT_EQ(got.labels.at("com.docker.compose.service"), "work");
  EXPECT_EQ(got.labels.at("campaignctl.run"), "one.c01");
  std::map<std::string, std::string> mounts;
  for (const auto& mount : got.mounts) mounts[mount.target] = mount.source;
  EXPECT_EQ(mounts.at("/data"), "/mine");
  EXPECT_EQ(mounts.at("/other"), "/i");
  EXPECT_TRUE(mounts.contains("/campaign/results"));
}

TEST_F(ServiceRun, WhetherItIsBegunAgainIsOursToSayAndItHasNoTerminal) {
  EXPECT_EQ(spec().restart.name, "no");
  EXPECT_FALSE(spec().tty);
}

TEST_F(ServiceRun, TheUserOfTheServiceIsTheOneOfItsImage) {
  EXPECT_EQ(spec().user, "1000:100");
  runner_.user = "image";
  EXPECT_EQ(spec().user, "app");
}

TEST_F(ServiceRun, AServerComesBesideTheNetworksOfTheService) {
  runner_.server = campaign::Server{};
  const container::ContainerSpec got = spec();
  ASSERT_EQ(got.networks.size(), 2u);
  EXPECT_EQ(got.networks[1].network, network_name(belonging_.uid, 0));
  base_.network = "host";
  EXPECT_THROW(spec(), PrepareError);
}

TEST_F(ServiceRun, HeldItKeepsItsHealthCheckAndLosesItsCommand) {
  base_.command = {"serve"};
  base_.health = container::HealthCheck{.test = {"CMD", "true"}};
  const Payload made = payload();
  const container::ContainerSpec got = held_spec(request(made), {bench_.folder()});
  EXPECT_THAT(*got.entrypoint, ElementsAre("/campaign/launch", "--hold"));
  EXPECT_TRUE(got.command.empty());
  EXPECT_THAT(got.health->test, ElementsAre("CMD", "true"));
  base_.health.reset();
  EXPECT_FALSE(held_spec(request(made), {bench_.folder()}).health);
}

TEST_F(ServiceRun, AServerIsTheServiceThatItNamesElseTheRunners) {
  runner_.server = campaign::Server{};
  EXPECT_EQ(server_service(runner_), "work");
  runner_.server->service = "engine";
  EXPECT_EQ(server_service(runner_), "engine");
  runner_.server->image = "own";
  EXPECT_EQ(server_service(runner_), "");
  runner_.server->image.clear();
  project_.services["engine"].image = "probe";
  project_.services["engine"].environment = {{"E", "engine"}};
  project_.services["engine"].command = {"start"};
  runner_.server->env = {{"F", "server"}};
  PayloadContext context = bench_.payload();
  context.project = &project_;
  const ServerPayload server = resolve_server(context, *attempt_, container_view(*attempt_));
  EXPECT_THAT(server.payload.command, ElementsAre("start"));
  EXPECT_EQ(server.payload.env.at("E"), "engine");
  EXPECT_EQ(server.payload.env.at("F"), "server");
  EXPECT_FALSE(server.payload.env.contains("A"));
}

}  // namespace
}  // namespace controller::test
