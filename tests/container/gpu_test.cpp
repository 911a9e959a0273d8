#include "container/gpu.hpp"

#include <gmock/gmock.h>

#include "container/engine_json.hpp"

namespace container::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Mechanism = GpuRoute::Mechanism;

const GpuDevice first{.uuid = "GPU-a", .index = "0", .minor = 1};
const GpuDevice second{.uuid = "GPU-b", .index = "1", .minor = 0};
const GpuDevice instance{.uuid = "MIG-b0", .index = "1:0", .mig = true, .minor = 0};
const GpuDevice amd{.vendor = GpuDevice::Vendor::amd, .uuid = "GPU-f00d", .index = "0", .minor = 2};

EngineInfo docker() { return {.version = "20.10.24"}; }
EngineInfo docker_with_cdi(std::vector<std::string> names) {
  return {.version = "28.5.2", .cdi_folders = {"/etc/cdi"}, .cdi_devices = std::move(names)};
}
EngineInfo podman(const std::string& version) { return {.version = version, .podman = true}; }

std::string refusal(const EngineInfo& engine, const GpuHost& host,
                    const std::vector<GpuDevice>& devices) {
  try {
    choose_gpu_route(engine, host, devices);
  } catch (const GpuRefusal& refused) {
    return refused.what();
  }
  return "";
}

TEST(GpuRoute, WithoutDevicesThereIsNone) {
  const GpuRoute route = choose_gpu_route(docker_with_cdi({"nvidia.com/gpu=0"}), {}, {});
  EXPECT_EQ(route.mechanism, Mechanism::none);
  EXPECT_EQ(text_of(route), "no GPUs: none are asked for");
}

TEST(GpuRoute, CdiWhereTheEngineListsEveryDevice) {
  const auto engine =
      docker_with_cdi({"nvidia.com/gpu=GPU-a", "nvidia.com/gpu=0", "nvidia.com/gpu=1"});
  const GpuRoute route = choose_gpu_route(engine, {.nvidia_hook = true}, {first, second});
  EXPECT_EQ(text_of(route),
            "CDI, nvidia.com/gpu=GPU-a,nvidia.com/gpu=1: the engine lists these devices");
}

TEST(GpuRoute, CdiNamesByTypeAndIndexAreKnownToo) {
  const auto engine = docker_with_cdi({"nvidia.com/gpu=gpu0", "nvidia.com/gpu=mig1:0"});
  EXPECT_THAT(choose_gpu_route(engine, {}, {first}).names, ElementsAre("nvidia.com/gpu=gpu0"));
  EXPECT_THAT(choose_gpu_route(engine, {}, {instance}).names, ElementsAre("nvidia.com/gpu=mig1:0"));
}

TEST(GpuRoute, ANameThatIsMissingIsNoCdiForAnyOfThem) {
  const GpuRoute route =
      choose_gpu_route(docker_with_cdi({"nvidia.com/gpu=0"}), {}, {first, second});
  EXPECT_EQ(route.mechanism, Mechanism::device_requests);
  EXPECT_THAT(route.names, ElementsAre("GPU-a", "GPU-b"));
}

TEST(GpuRoute, SpecificationsOfTheHostCountWhereTheEngineTakesCdiAndListsNothing) {
  const GpuHost host{.cdi_devices = {"nvidia.com/gpu=0"}};
  EngineInfo engine{.version = "26.1.5", .cdi_folders = {"/etc/cdi"}};
  EXPECT_EQ(choose_gpu_route(engine, host, {first}).mechanism, Mechanism::cdi);
  engine.cdi_folders.clear();
  EXPECT_EQ(choose_gpu_route(engine, host, {first}).mechanism, Mechanism::device_requests);
  engine.cdi_folders = {"/etc/cdi"};
  engine.cdi_devices = {"other.com/x=1"};
  EXPECT_EQ(choose_gpu_route(engine, host, {first}).mechanism, Mechanism::device_requests)
      << "what an engine lists is all it has";
}

TEST(GpuRoute, RequestsComeBeforeTheRuntimeWhereTheHookIsThere) {
  EngineInfo engine = docker();
  engine.runtimes = {"nvidia", "runc"};
  EXPECT_EQ(text_of(choose_gpu_route(engine, {.nvidia_hook = true}, {first})),
            "DeviceRequests, GPU-a: this host has nvidia-container-runtime-hook, and the engine no "
            "CDI name of these devices");
  EXPECT_EQ(text_of(choose_gpu_route(engine, {}, {first, instance})),
            "runtime nvidia, GPU-a,MIG-b0: the engine has this runtime and no CDI name of these "
            "devices, and this host has no nvidia-container-runtime-hook");
  EXPECT_EQ(choose_gpu_route(docker(), {}, {first}).mechanism, Mechanism::device_requests);
}

TEST(GpuRoute, WhereNothingSpeaksForTheLastMechanismItHasARemedy) {
  EngineInfo engine = docker();
  EXPECT_EQ(choose_gpu_route(engine, {}, {first}).remedy,
            gpu_remedy("could not select device driver"));
  EXPECT_EQ(choose_gpu_route(engine, {.nvidia_hook = true}, {first}).remedy, "");
  engine.runtimes = {"nvidia"};
  EXPECT_EQ(choose_gpu_route(engine, {}, {first}).remedy, "");
}

TEST(GpuRoute, PodmanTakesCdiOrIsRefusedForItWouldIgnoreTheRest) {
  const GpuHost host{.cdi_devices = {"nvidia.com/gpu=all", "nvidia.com/gpu=0"},
                     .nvidia_hook = true};
  EXPECT_EQ(choose_gpu_route(podman("5.8.6"), host, {first}).mechanism, Mechanism::cdi);
  EXPECT_THAT(refusal(podman("5.8.6"), host, {second}),
              HasSubstr("no CDI specification of this host names GPU-b"));
  EXPECT_THAT(refusal(podman("4.3.1"), host, {first}),
              HasSubstr("podman 4.3.1 cannot give these GPUs"));
  EXPECT_THAT(refusal(podman("4.3.1"), host, {first}), HasSubstr("nvidia-ctk cdi generate"));
}

TEST(GpuRoute, AmdsAreDeviceFilesWithTheirGroups) {
  const GpuHost host{.groups = {{"/dev/kfd", "109"}, {"/dev/dri/renderD130", "109"}}};
  EXPECT_EQ(text_of(choose_gpu_route(podman("4.3.1"), host, {amd})),
            "device files, /dev/kfd,/dev/dri/renderD130, group 109: AMD's GPUs need nothing but "
            "their device files");
  GpuDevice unknown = amd;
  unknown.minor.reset();
  EXPECT_THAT(refusal(docker(), host, {unknown}), HasSubstr("amdgpu"));
  EXPECT_THAT(refusal(docker(), host, {amd, first}), HasSubstr("in one container"));
}

class GiveGpus : public ::testing::Test {
 protected:
  GpuRoute route(Mechanism mechanism, const std::vector<std::string>& names) {
    return {.mechanism = mechanism, .devices = {first}, .names = names};
  }
  std::string body() const { return engine_json::create_body(spec_); }
  ContainerSpec spec_{.image = "i", .env = {"A=b", "NVIDIA_VISIBLE_DEVICES=7"}};
};

TEST_F(GiveGpus, CdiIsOneRequestAndTheVariableGivesNothingMore) {
  give_gpus(spec_, route(Mechanism::cdi, {"nvidia.com/gpu=0"}));
  EXPECT_THAT(body(), HasSubstr(R"("DeviceRequests":[{"DeviceIDs":["nvidia.com/gpu=0"],)"
                                R"("Driver":"cdi"}])"));
  EXPECT_THAT(spec_.env, ElementsAre("A=b", "NVIDIA_VISIBLE_DEVICES=void"));
  EXPECT_EQ(spec_.runtime, "");
}

TEST_F(GiveGpus, RequestsGoByUuidAndLeaveTheVariableToTheEngine) {
  give_gpus(spec_, route(Mechanism::device_requests, {"GPU-a", "GPU-b"}));
  EXPECT_THAT(body(),
              HasSubstr(R"("DeviceRequests":[{"Capabilities":[["gpu","compute","utility"]],)"
                        R"("DeviceIDs":["GPU-a","GPU-b"],"Driver":"nvidia"}])"));
  EXPECT_THAT(body(), Not(HasSubstr("NVIDIA_VISIBLE_DEVICES")));
}

TEST_F(GiveGpus, TheRuntimeGoesByTheVariable) {
  give_gpus(spec_, route(Mechanism::nvidia_runtime, {"GPU-a", "GPU-b"}));
  EXPECT_EQ(spec_.runtime, "nvidia");
  EXPECT_THAT(spec_.env, ElementsAre("A=b", "NVIDIA_VISIBLE_DEVICES=GPU-a,GPU-b",
                                     "NVIDIA_DRIVER_CAPABILITIES=compute,utility"));
  EXPECT_THAT(spec_.device_requests, IsEmpty());
}

TEST_F(GiveGpus, AmdsFilesComeOnceWithTheirGroupsAndNoNvidia) {
  spec_.devices = {{.host = "/dev/kfd", .target = "/dev/kfd"}};
  spec_.group_add = {"44"};
  GpuRoute files = route(Mechanism::device_files, {"/dev/kfd", "/dev/dri/renderD130"});
  files.groups = {"44", "109"};
  give_gpus(spec_, files);
  ASSERT_EQ(spec_.devices.size(), 2u);
  EXPECT_EQ(spec_.devices[1].host, "/dev/dri/renderD130");
  EXPECT_THAT(spec_.group_add, ElementsAre("44", "109"));
  EXPECT_THAT(spec_.env, Contains("NVIDIA_VISIBLE_DEVICES=void"));
}

TEST_F(GiveGpus, AReservationKeepsDriverCapabilitiesAndOptionsAndLosesCountAndIds) {
  spec_.device_requests = {
      {.driver = "", .count = -1, .capabilities = {{"gpu", "video"}}, .options = {{"o", "p"}}},
      {.driver = "nvidia", .ids = {"3"}},
      {.driver = "cdi", .ids = {"vendor.com/net=0"}}};
  spec_.runtime = "nvidia";
  give_gpus(spec_, route(Mechanism::device_requests, {"GPU-a"}));
  ASSERT_EQ(spec_.device_requests.size(), 2u);
  EXPECT_THAT(spec_.device_requests[0].ids, ElementsAre("vendor.com/net=0"));
  const DeviceRequest& request = spec_.device_requests[1];
  EXPECT_EQ(request.driver, "");
  EXPECT_FALSE(request.count);
  EXPECT_THAT(request.ids, ElementsAre("GPU-a"));
  EXPECT_THAT(request.capabilities, ElementsAre(ElementsAre("gpu", "video")));
  EXPECT_EQ(request.options.at("o"), "p");
  EXPECT_EQ(spec_.runtime, "") << "one mechanism, not two";
}

TEST_F(GiveGpus, ACdiNameOfAServiceIsReplacedAndSoIsARequestWhereTheRouteIsCdi) {
  spec_.device_requests = {{.driver = "cdi", .ids = {"nvidia.com/gpu=all"}},
                           {.driver = "", .count = 2, .capabilities = {{"gpu"}}}};
  give_gpus(spec_, route(Mechanism::cdi, {"nvidia.com/gpu=0"}));
  ASSERT_EQ(spec_.device_requests.size(), 1u);
  EXPECT_THAT(spec_.device_requests[0].ids, ElementsAre("nvidia.com/gpu=0"));
}

TEST_F(GiveGpus, WithoutGpusNothingGivesAny) {
  EXPECT_FALSE(without_gpus(spec_));
  EXPECT_THAT(spec_.env, ElementsAre("A=b", "NVIDIA_VISIBLE_DEVICES=void"));
  spec_.device_requests = {{.driver = "", .count = -1, .capabilities = {{"gpu"}}}};
  spec_.runtime = "nvidia";
  EXPECT_TRUE(without_gpus(spec_));
  EXPECT_THAT(spec_.device_requests, IsEmpty());
  EXPECT_EQ(spec_.runtime, "");
  EXPECT_THAT(body(), HasSubstr("NVIDIA_VISIBLE_DEVICES=void"));
}

TEST(GpuCheck, LauncherIsToldEveryDeviceAndItsFile) {
  GpuDevice unknown = instance;
  unknown.minor.reset();
  EXPECT_THAT(gpu_check_flags({first, unknown}, OtherGpus::refused),
              ElementsAre("--gpu", "GPU-a=/dev/nvidia1", "--gpu", "MIG-b0="));
  EXPECT_THAT(gpu_check_flags({amd}, OtherGpus::allowed),
              ElementsAre("--gpu", "GPU-f00d=/dev/dri/renderD130", "--gpus-beside"));
  EXPECT_THAT(gpu_check_flags({}, OtherGpus::allowed), IsEmpty());
}

TEST(CdiNames, AreReadFromJsonAndFromTheYamlOfItsGenerator) {
  EXPECT_THAT(cdi_names(R"({"cdiVersion":"0.6.0","kind":"nvidia.com/gpu",
                            "devices":[{"name":"0"},{"name":"all"},{}]})"),
              ElementsAre("nvidia.com/gpu=0", "nvidia.com/gpu=all"));
  EXPECT_THAT(cdi_names("---\ncdiVersion: 0.5.0\ncontainerEdits:\n  deviceNodes:\n  - path: "
                        "/dev/nvidiactl\n  name: no\ndevices:\n- containerEdits:\n    "
                        "deviceNodes:\n    - path: /dev/nvidia0\n      name: deep\n  name: \"0\"\n"
                        "- name: GPU-a\n  containerEdits: {}\nkind: nvidia.com/gpu\n"),
              ElementsAre("nvidia.com/gpu=0", "nvidia.com/gpu=GPU-a"));
  for (const char* other : {"", "x", "[]", "{}", "devices: 3", "kind: a/b\ndevices: []",
                            R"({"kind":"a/b","devices":{}})", R"({"kind":3,"devices":[]})"})
    EXPECT_THAT(cdi_names(other), IsEmpty()) << other;
}

TEST(GpuRemedy, WordsOfEveryEngineLeadToOne) {
  for (const char* words :
       {R"(could not select device driver "nvidia" with capabilities: [[gpu]])",
        "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=9",
        "Unknown runtime specified nvidia", "unknown or invalid runtime name: nvidia",
        R"(error gathering device information while adding custom device "/dev/kfd": no such)"})
    EXPECT_NE(gpu_remedy(words), "") << words;
  EXPECT_EQ(gpu_remedy("no such image"), "");
}

TEST(GpuSpec, DeviceFilesOfAServiceBringNoGpuButTheLeasedOne) {
  ContainerSpec spec;
  spec.devices = {{.host = "/dev/kfd", .target = "/dev/kfd"},
                  {.host = "/dev/dri", .target = "/dev/dri"},
                  {.host = "/dev/nvidia0", .target = "/dev/nvidia0"},
                  {.host = "/dev/fuse", .target = "/dev/fuse"}};
  ContainerSpec none = spec;
  EXPECT_TRUE(without_gpus(none));
  ASSERT_EQ(none.devices.size(), 1u);
  EXPECT_EQ(none.devices[0].host, "/dev/fuse");
  give_gpus(spec, choose_gpu_route(docker(), {}, {amd}));
  std::vector<std::string> files;
  for (const DeviceNode& node : spec.devices) files.push_back(node.host);
  EXPECT_THAT(files, ElementsAre("/dev/fuse", "/dev/kfd", "/dev/dri/renderD130"));
}

}  // namespace
}  // namespace container::test
