// How the leased devices of an attempt come into what runs it.
#include "controller/runners/gpus.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "container/engine_json.hpp"
#include "controller/classify.hpp"
#include "controller/errors.hpp"
#include "controller/runners/held_spec.hpp"
#include "controller/runners/runner.hpp"
#include "tests/support/controller/bench.hpp"
#include "tests/support/controller/fake_engine.hpp"

namespace controller::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;
using Strings = std::vector<std::string>;

gpu::Device whole(int number, const std::string& uuid) {
  return {.index = std::to_string(number), .minor = number, .uuid = uuid};
}
gpu::Device instance(const std::string& uuid) {
  return {.index = "1:0", .minor = 1, .uuid = uuid, .parent = "GPU-b"};
}
gpu::Device amd(int number, const std::string& uuid) {
  gpu::Device device = whole(number, uuid);
  device.vendor = gpu::Device::Vendor::amd;
  return device;
}

class Gpus : public ::testing::Test {
 protected:
  Gpus()
      : bench_(
            "name: k\ngpus: none\nexperiments: [{name: one}]\n"
            "runner: {image: probe, command: [work, '{gpus}']}\n"),
        attempt_(bench_.attempt()),
        runner_(*attempt_->runner) {
    attempt_->runner = &runner_;
    attempt_->service = "runner";
    attempt_->container_name = "c";
    attempt_->devices = {whole(0, "GPU-a"), whole(1, "GPU-b")};
    site_.launcher = "/state/launch-1";
    site_.user = "1000:100";
    site_.images["probe"] = {.info = {.id = "sha256:1"}};
  }
  DockerSpecRequest request(const Payload& payload) const {
    return {.attempt = attempt_.get(),
            .payload = &payload,
            .site = &site_,
            .belonging = &belonging_,
            .service = service_ ? &*service_ : nullptr};
  }
  Payload payload() const {
    return resolve_payload(bench_.payload(), *attempt_, container_view(*attempt_));
  }
  container::ContainerSpec fresh() const {
    const Payload made = payload();
    return docker_spec(request(made));
  }
  container::ContainerSpec held() {
    const Payload made = payload();
    return held_spec(request(made), bench_.context().results);
  }
  container::ExecRun exec() const {
    const Payload made = payload();
    return exec_run(request(made));
  }
  container::ContainerSpec server() const {
    const ServerPayload made =
        resolve_server(bench_.payload(), *attempt_, container_view(*attempt_));
    return server_spec(request(made.payload), made.ports);
  }

  Bench bench_;
  AttemptPtr attempt_;
  campaign::Runner runner_;
  Site site_;
  std::optional<container::ContainerSpec> service_;
  Belonging belonging_{.uid = "0123456789abcdef"};
};

Strings request_ids(const container::ContainerSpec& spec) {
  return spec.device_requests.empty() ? Strings() : spec.device_requests.at(0).ids;
}

TEST_F(Gpus, AFreshContainerGetsTheDevicesOfItsRunAndCountsThemFromNought) {
  const container::ContainerSpec got = fresh();
  EXPECT_THAT(request_ids(got), ElementsAre("GPU-a", "GPU-b"));
  EXPECT_THAT(got.env, IsSupersetOf({"CUDA_VISIBLE_DEVICES=0,1", "CUDA_DEVICE_ORDER=PCI_BUS_ID"}));
  EXPECT_THAT(got.env, Not(Contains(StartsWith("NVIDIA_VISIBLE_DEVICES="))));
  EXPECT_EQ(got.labels.at("campaignctl.gpus"), "GPU-a,GPU-b");
  EXPECT_EQ(got.shm_size, std::int64_t{8} << 30);
  EXPECT_EQ(got.stop_timeout, 60);
  EXPECT_THAT(got.command, ElementsAre("work", "GPU-a,GPU-b"));
  EXPECT_THAT(*got.entrypoint,
              ElementsAre("/campaign/launch", "--run", "one.c01.a1", "--out", "/campaign/ctl",
                          "--gpu", "GPU-a=/dev/nvidia0", "--gpu", "GPU-b=/dev/nvidia1", "--"));
}

TEST_F(Gpus, WithoutDevicesNothingComesInWhateverTheImageOrTheRunnerSays) {
  attempt_->devices.clear();
  runner_.env = {{"NVIDIA_VISIBLE_DEVICES", "all"}};
  const container::ContainerSpec got = fresh();
  EXPECT_TRUE(got.device_requests.empty());
  EXPECT_THAT(got.env, Contains("NVIDIA_VISIBLE_DEVICES=void"));
  EXPECT_THAT(got.env, Not(Contains("NVIDIA_VISIBLE_DEVICES=all")));
  EXPECT_EQ(got.labels.at("campaignctl.gpus"), "");
  EXPECT_FALSE(got.shm_size);
  EXPECT_EQ(got.stop_timeout, 10);
  EXPECT_THAT(*got.entrypoint, Not(Contains("--gpu")));
}

TEST_F(Gpus, WhatIsWrittenWinsOverTheDefaultsWithGpus) {
  runner_.shm_size = 1 << 20;
  runner_.stop_grace_period = 3;
  EXPECT_EQ(fresh().shm_size, 1 << 20);
  EXPECT_EQ(fresh().stop_timeout, 3);
  runner_.shm_size.reset();
  runner_.ipc = "host";
  EXPECT_FALSE(fresh().shm_size) << "the size is the host's";
}

TEST_F(Gpus, InstancesAndPrivilegedContainersGoByUuid) {
  attempt_->devices = {instance("MIG-b0")};
  EXPECT_THAT(fresh().env, Contains("CUDA_VISIBLE_DEVICES=MIG-b0"));
  EXPECT_THAT(*fresh().entrypoint, Contains("MIG-b0=/dev/nvidia1"));
  attempt_->devices = {whole(1, "GPU-b")};
  runner_.privileged = true;
  EXPECT_THAT(fresh().env, Contains("CUDA_VISIBLE_DEVICES=GPU-b"))
      << "it sees the devices of the whole host";
  EXPECT_THAT(*fresh().entrypoint, Contains("--gpus-beside"));
  attempt_->devices.clear();
  EXPECT_THAT(fresh().env, Contains("CUDA_VISIBLE_DEVICES="));
}

TEST_F(Gpus, AnExecIsRoutedByItsVariablesAloneAndLooksEachTime) {
  EXPECT_THAT(request_ids(held()), ElementsAre("GPU-a", "GPU-b"));
  EXPECT_EQ(held().labels.at("campaignctl.gpus"), "GPU-a,GPU-b");
  EXPECT_EQ(held().entrypoint->size(), 2u);
  EXPECT_THAT(exec().env, IsSupersetOf({"CUDA_VISIBLE_DEVICES=GPU-a,GPU-b",
                                        "ROCR_VISIBLE_DEVICES=", "CUDA_DEVICE_ORDER=PCI_BUS_ID"}));
  EXPECT_THAT(exec().launcher_flags,
              ElementsAre("--gpu", "GPU-a=/dev/nvidia0", "--gpu", "GPU-b=/dev/nvidia1"));
}

TEST_F(Gpus, OtherDevicesAreAnotherHeldContainer) {
  const std::string hash = held().labels.at("campaignctl.spec-hash");
  EXPECT_EQ(held().labels.at("campaignctl.spec-hash"), hash);
  attempt_->devices = {whole(0, "GPU-a")};
  EXPECT_NE(held().labels.at("campaignctl.spec-hash"), hash);
}

TEST_F(Gpus, AServerHoldsTheDevicesAndItsClientNone) {
  runner_.server = campaign::Server{.command = {"serve"}};
  EXPECT_THAT(request_ids(server()), ElementsAre("GPU-a", "GPU-b"));
  EXPECT_THAT(server().env, Contains("CUDA_VISIBLE_DEVICES=0,1"));
  EXPECT_EQ(server().labels.at("campaignctl.gpus"), "GPU-a,GPU-b");
  EXPECT_THAT(*server().entrypoint, Contains("GPU-b=/dev/nvidia1"));
  EXPECT_EQ(server().entrypoint->back(), "--");
  for (const container::ContainerSpec& client : {fresh(), held()}) {
    EXPECT_TRUE(client.device_requests.empty());
    EXPECT_THAT(client.env, Contains("NVIDIA_VISIBLE_DEVICES=void"));
    EXPECT_EQ(client.labels.at("campaignctl.gpus"), "");
  }
  EXPECT_TRUE(exec().launcher_flags.empty());
}

TEST_F(Gpus, TheMechanismIsWhatTheEngineOffers) {
  site_.info.cdi_devices = {"nvidia.com/gpu=0", "nvidia.com/gpu=1"};
  EXPECT_THAT(request_ids(fresh()), ElementsAre("nvidia.com/gpu=0", "nvidia.com/gpu=1"));
  EXPECT_THAT(fresh().env, Contains("NVIDIA_VISIBLE_DEVICES=void"));
  site_.info.cdi_devices.clear();
  site_.info.runtimes = {"nvidia"};
  EXPECT_EQ(fresh().runtime, "nvidia");
  EXPECT_THAT(fresh().env, Contains("NVIDIA_VISIBLE_DEVICES=GPU-a,GPU-b"));
}

TEST_F(Gpus, AnEngineThatWouldIgnoreThemIsRefusedWithARemedy) {
  site_.info.podman = true;
  site_.info.version = "4.3.1";
  try {
    fresh();
    FAIL() << "podman was given a request that it ignores";
  } catch (const PrepareError& error) {
    EXPECT_EQ(error.cls, campaign::FailureClass::infra);
    EXPECT_THAT(error.what(), HasSubstr("nvidia-ctk cdi generate"));
  }
  EXPECT_THROW(gpu_route(site_, attempt_->devices), CommandError);
}

TEST_F(Gpus, AmdsFilesAndGroupsComeInAndNeedNoVariable) {
  attempt_->devices = {amd(1, "GPU-f00d")};
  site_.gpu_host.groups = {{"/dev/kfd", "109"}};
  const container::ContainerSpec got = fresh();
  ASSERT_EQ(got.devices.size(), 2u);
  EXPECT_EQ(got.devices[0].target, "/dev/kfd");
  EXPECT_EQ(got.devices[1].target, "/dev/dri/renderD129");
  EXPECT_THAT(got.group_add, ElementsAre("109"));
  EXPECT_THAT(got.env, Not(Contains(StartsWith("ROCR_VISIBLE_DEVICES="))));
  EXPECT_THAT(exec().env, IsSupersetOf({"ROCR_VISIBLE_DEVICES=GPU-f00d", "CUDA_VISIBLE_DEVICES="}));
}

TEST_F(Gpus, AReservationOfAServiceIsOverriddenAndEmptiedWithANotice) {
  runner_.type = campaign::RunnerType::compose;
  service_.emplace();
  service_->device_requests = {
      {.driver = "nvidia", .count = -1, .capabilities = {{"gpu", "video"}}}};
  Payload made{.command = {"work"}, .image = "probe"};
  const container::ContainerSpec got = docker_spec(request(made));
  EXPECT_THAT(request_ids(got), ElementsAre("GPU-a", "GPU-b"));
  EXPECT_FALSE(got.device_requests[0].count);
  EXPECT_THAT(got.device_requests[0].capabilities, ElementsAre(ElementsAre("gpu", "video")));
  EXPECT_FALSE(emptied_reservation("work", *service_, attempt_->devices));
  attempt_->devices.clear();
  EXPECT_TRUE(docker_spec(request(made)).device_requests.empty());
  EXPECT_THAT(emptied_reservation("work", *service_, attempt_->devices).value_or(""),
              HasSubstr("service work reserves GPUs"));
  service_->device_requests.clear();
  EXPECT_FALSE(emptied_reservation("work", *service_, attempt_->devices));
}

TEST(GpuVariables, OfAProcessOnTheHostNameEveryVendorsDevicesAndNone) {
  EXPECT_EQ(gpu_variables({}, GpuNaming::uuids),
            (std::map<std::string, std::string>{{"CUDA_VISIBLE_DEVICES", ""},
                                                {"ROCR_VISIBLE_DEVICES", ""}}));
  EXPECT_EQ(gpu_variables({whole(3, "GPU-d"), amd(0, "GPU-f"), amd(1, "PCI-0000:03:00.0")},
                          GpuNaming::uuids),
            (std::map<std::string, std::string>{{"CUDA_DEVICE_ORDER", "PCI_BUS_ID"},
                                                {"CUDA_VISIBLE_DEVICES", "GPU-d"},
                                                {"ROCR_VISIBLE_DEVICES", "GPU-f,1"}}));
  EXPECT_TRUE(gpu_variables({}, GpuNaming::numbers).empty());
}

TEST(DeviceMismatch, IsWhatTheLauncherWrote) {
  const Bench bench("name: k\ngpus: none\nexperiments: [{name: one}]\nrunner: {image: probe}\n");
  const AttemptPtr attempt = bench.attempt();
  const auto file = attempt->paths.ctl / "devices.json";
  EXPECT_FALSE(device_mismatch(attempt->paths.ctl));
  std::ofstream(file) << R"({"v":1,"seen":[],"nvidia_visible_devices":"","mismatch":null})";
  EXPECT_FALSE(device_mismatch(attempt->paths.ctl));
  std::ofstream(file) << R"({"v":1,"mismatch":"the GPUs are not the leased ones"})";
  EXPECT_EQ(device_mismatch(attempt->paths.ctl), "the GPUs are not the leased ones");
  std::ofstream(file) << R"({"v":1,"mism)";
  EXPECT_FALSE(device_mismatch(attempt->paths.ctl));
}

TEST(DeviceMismatch, OfARunInAContainerOfItsOwnIsInfraAndSaysWhatWasSeen) {
  Bench bench("name: k\ngpus: none\nexperiments: [{name: one}]\nrunner: {image: probe}\n");
  FakeEngine engine;
  engine.script = "exit-72";
  bench.use(engine);
  const AttemptPtr attempt = bench.attempt();
  bench.loop().run(bench.docker().prepare(*attempt));
  std::ofstream(attempt->paths.ctl / "devices.json") << R"({"v":1,"mismatch":"seen no GPU"})";
  bench.loop().run(bench.docker().start(*attempt));
  EXPECT_TRUE(bench.loop().run(bench.docker().ended(*attempt)));
  const Classified classified = classify(attempt->ending, OurStop::none);
  EXPECT_EQ(classified.cls, campaign::FailureClass::infra);
  EXPECT_THAT(classified.message, HasSubstr("seen no GPU"));
}

TEST(GpuHost, SpecificationsAreReadWhereTheEngineLooks) {
  const Bench bench("name: k\ngpus: none\nexperiments: [{name: one}]\nrunner: {image: probe}\n");
  const auto folder = bench.folder() / "cdi";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "a.json") << R"({"kind":"nvidia.com/gpu","devices":[{"name":"0"}]})";
  std::ofstream(folder / "b.yaml") << "devices:\n- name: x\nkind: amd.com/gpu\n";
  std::ofstream(folder / "c.txt") << R"({"kind":"nvidia.com/gpu","devices":[{"name":"1"}]})";
  container::EngineInfo engine;
  engine.cdi_folders = {folder.string(), "/not/there"};
  EXPECT_THAT(gpu_host(engine).cdi_devices, ElementsAre("nvidia.com/gpu=0", "amd.com/gpu=x"));
  engine.cdi_folders.clear();
  EXPECT_TRUE(gpu_host(engine).cdi_devices.empty());
}

}  // namespace
}  // namespace controller::test
