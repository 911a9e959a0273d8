#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/errors.hpp"
#include "controller/gpu/selection.hpp"
#include "tests/support/controller/gpu_support.hpp"

namespace controller {
namespace {

using gpu::Device;
using gpu::Grant;
using gpu::GrantWords;
using gpu::Pool;
using gpu::wish_of;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::made_devices;
using testing::uuids_of;

using Devices = std::vector<Device>;

template <class Call>
std::string error_of(ExitCode code, Call call) {
  try {
    call();
  } catch (const CommandError& error) {
    EXPECT_EQ(error.code, code);
    return error.what();
  }
  return "no error";
}

std::string grant_error(const Devices& devices, const GrantWords& words) {
  return error_of(ExitCode::environment, [&] { gpu::grant_of(devices, words); });
}

std::vector<std::string> granted(const Devices& devices, const GrantWords& words) {
  return uuids_of(gpu::grant_of(devices, words).devices);
}

const Devices& four() {
  static const Devices devices = made_devices({"GPU-aaaa1", "GPU-aabb2", "GPU-cccc3", "GPU-dddd4"});
  return devices;
}

// GPU 0 whole, GPU 1 in MIG mode.
const Devices& mixed() {
  static const Devices devices = made_devices({"GPU-aaaa1", "GPU-bbbb2", "MIG-cccc3", "MIG-dddd4"});
  return devices;
}

TEST(Grant, WithoutAWordOfASchedulerItIsAllThatThereIs) {
  const Grant grant = gpu::grant_of(mixed(), {});
  EXPECT_THAT(uuids_of(grant.devices), ElementsAre("GPU-aaaa1", "MIG-cccc3", "MIG-dddd4"));
  EXPECT_EQ(grant.cause,
            "none of SLURM_JOB_GPUS, SLURM_STEP_GPUS, CUDA_VISIBLE_DEVICES is set: all that "
            "there is");
}

TEST(Grant, TheEmptyStringAndNoDevFilesMeanNoneNotAll) {
  const Grant empty = gpu::grant_of(four(), {.visible = ""});
  EXPECT_THAT(empty.devices, IsEmpty());
  EXPECT_EQ(empty.cause, "CUDA_VISIBLE_DEVICES is set and empty: no GPU is granted");
  const Grant no_files = gpu::grant_of(four(), {.visible = "NoDevFiles"});
  EXPECT_THAT(no_files.devices, IsEmpty());
  EXPECT_EQ(no_files.cause, "CUDA_VISIBLE_DEVICES=NoDevFiles: no GPU is granted");
  EXPECT_THAT(granted(four(), {.job = ""}), IsEmpty());
  EXPECT_THAT(granted(four(), {.job = "0,1", .step = ""}), IsEmpty());
  EXPECT_THAT(granted(four(), {.visible = "-1"}), IsEmpty());
}

TEST(Grant, VisibleDevicesAreIndicesUuidsAndBeginningsOfThem) {
  EXPECT_THAT(granted(four(), {.visible = "2,0"}), ElementsAre("GPU-cccc3", "GPU-aaaa1"));
  EXPECT_THAT(granted(four(), {.visible = "GPU-dddd4, GPU-aab"}),
              ElementsAre("GPU-dddd4", "GPU-aabb2"));
  EXPECT_THAT(granted(mixed(), {.visible = "MIG-dddd4"}), ElementsAre("MIG-dddd4"));
  EXPECT_THAT(granted(four(), {.visible = "1,-1,3"}), ElementsAre("GPU-aabb2"));
  EXPECT_EQ(gpu::grant_of(four(), {.visible = "2,0"}).cause, "CUDA_VISIBLE_DEVICES=2,0");
}

TEST(Grant, AGpuInMigModeStandsForItsInstances) {
  EXPECT_THAT(granted(mixed(), {.visible = "1"}), ElementsAre("MIG-cccc3", "MIG-dddd4"));
  EXPECT_THAT(granted(mixed(), {.job = "1"}), ElementsAre("MIG-cccc3", "MIG-dddd4"));
}

TEST(Grant, UnknownAndAmbiguousNamesSayWhatThereIs) {
  EXPECT_EQ(grant_error(four(), {.visible = "4"}),
            "CUDA_VISIBLE_DEVICES=4: there is no GPU `4`; there is: 0 = GPU-aaaa1, 1 = GPU-aabb2, "
            "2 = GPU-cccc3, 3 = GPU-dddd4");
  EXPECT_EQ(grant_error(four(), {.visible = "GPU-aa"}),
            "CUDA_VISIBLE_DEVICES=GPU-aa: `GPU-aa` fits several GPUs: 0 = GPU-aaaa1, 1 = "
            "GPU-aabb2");
  EXPECT_EQ(grant_error(four(), {.visible = "GPU-"}).substr(0, 45),
            "CUDA_VISIBLE_DEVICES=GPU-: there is no GPU `G");
  EXPECT_EQ(grant_error({}, {.job = "0,1"}),
            "SLURM_JOB_GPUS=0,1: no GPU has the number 0; there is: none");
}

TEST(Grant, SlurmsNumbersAreThoseOfDeviceFiles) {
  Devices devices = four();
  const int minors[] = {3, 2, 1, 0};
  for (std::size_t i = 0; i < 4; ++i) devices[i].minor = minors[i];
  EXPECT_THAT(granted(devices, {.job = "0,1"}), ElementsAre("GPU-dddd4", "GPU-cccc3"));
  EXPECT_THAT(granted(devices, {.job = "0,1", .step = "1"}), ElementsAre("GPU-cccc3"));
}

TEST(Grant, InsideADeviceCgroupNumbersOfTheNodeAndOfTheJobAgree) {
  Devices devices = made_devices({"GPU-cccc3", "GPU-dddd4"});
  devices[0].minor = 2;
  devices[1].minor = 3;
  const Grant grant = gpu::grant_of(devices, {.job = "2,3", .visible = "0,1"});
  EXPECT_THAT(uuids_of(grant.devices), ElementsAre("GPU-cccc3", "GPU-dddd4"));
  EXPECT_EQ(grant.cause, "CUDA_VISIBLE_DEVICES=0,1 (SLURM_JOB_GPUS=2,3)");
  EXPECT_THAT(granted(devices, {.job = "2,3"}), ElementsAre("GPU-cccc3", "GPU-dddd4"));
}

TEST(Grant, NumbersThatFitNothingAreAllWhenJustAsManyAreSeen) {
  const Grant grant = gpu::grant_of(made_devices({"GPU-a", "GPU-b"}), {.job = "6,7"});
  EXPECT_THAT(uuids_of(grant.devices), ElementsAre("GPU-a", "GPU-b"));
  EXPECT_EQ(grant.cause, "SLURM_JOB_GPUS=6,7 lists as many GPUs as are seen here: all of them");
}

TEST(Grant, APersonMayNarrowAJobsGpusButNotWidenThem) {
  EXPECT_THAT(granted(four(), {.job = "0,1,2", .visible = "1"}), ElementsAre("GPU-aabb2"));
  EXPECT_EQ(grant_error(four(), {.job = "0,1", .visible = "1,GPU-dddd4"}),
            "CUDA_VISIBLE_DEVICES=1,GPU-dddd4 names GPU-dddd4, which the job does not have "
            "(SLURM_JOB_GPUS=0,1: 0 = GPU-aaaa1, 1 = GPU-aabb2)");
  EXPECT_THAT(granted(mixed(), {.job = "0", .visible = "MIG-cccc3"}), ElementsAre("MIG-cccc3"));
}

TEST(Grant, VariablesAreReadFromTheEnvironmentAndUnsetIsNotEmpty) {
  const GrantWords words =
      gpu::grant_words([](const std::string& name) -> std::optional<std::string> {
        if (name == "SLURM_JOB_GPUS") return "1";
        if (name == "CUDA_VISIBLE_DEVICES") return "";
        return std::nullopt;
      });
  EXPECT_EQ(words.job, "1");
  EXPECT_EQ(words.step, std::nullopt);
  EXPECT_EQ(words.visible, "");
}

Pool pool(const Devices& all, const std::string& wish, const gpu::Taken& taken = {}) {
  return gpu::pool_of(
      {.wish = wish_of(wish), .grant = gpu::grant_of(all, {}), .all = all, .taken = taken});
}

std::string pool_error(const Devices& all, const std::string& wish) {
  return error_of(ExitCode::usage, [&] { pool(all, wish); });
}

TEST(GpuPool, AutoTakesTheFreeOnesAndSaysWhyNotTheOthers) {
  const Pool free = pool(four(), "auto", {{"GPU-aabb2", "leased by pid 7 on node7"}});
  EXPECT_THAT(uuids_of(free.devices), ElementsAre("GPU-aaaa1", "GPU-cccc3", "GPU-dddd4"));
  EXPECT_EQ(free.cause,
            "auto: the free ones of the grant, 3 of 4; not 1: leased by pid 7 on node7");
}

TEST(GpuPool, AllAndIdsTakeThoseThatAreHeldToo) {
  const gpu::Taken taken = {{"GPU-aabb2", "leased"}};
  EXPECT_EQ(pool(four(), "all", taken).devices.size(), 4U);
  EXPECT_THAT(uuids_of(pool(four(), "ids:GPU-aabb2,3", taken).devices),
              ElementsAre("GPU-aabb2", "GPU-dddd4"));
  EXPECT_THAT(pool(four(), "none").devices, IsEmpty());
}

TEST(GpuPool, IdsBeyondTheGrantAreAnError) {
  const std::string error = error_of(ExitCode::usage, [] {
    gpu::pool_of({.wish = wish_of("ids:3"),
                  .grant = gpu::grant_of(four(), {.visible = "0,1"}),
                  .all = four(),
                  .taken = {}});
  });
  EXPECT_EQ(error,
            "gpus: `3` (GPU-dddd4) is not among those granted (CUDA_VISIBLE_DEVICES=0,1): 0 = "
            "GPU-aaaa1, 1 = GPU-aabb2");
}

TEST(GpuPool, UnknownAmbiguousAndRepeatedIdsAreErrors) {
  EXPECT_EQ(pool_error(four(), "ids:9").substr(0, 27), "gpus: there is no GPU `9`; ");
  EXPECT_EQ(pool_error(four(), "ids:GPU-aa"),
            "gpus: `GPU-aa` fits several GPUs: 0 = GPU-aaaa1, 1 = GPU-aabb2");
  EXPECT_EQ(pool_error(four(), "ids:1,GPU-aabb2"), "gpus: ids name GPU-aabb2 twice");
  EXPECT_EQ(pool_error(four(), "2"),
            "gpus of a campaign: auto, all, none or ids; a run takes a count");
}

TEST(GpuPool, MigInstancesAndWholeGpusDoNotMix) {
  EXPECT_EQ(pool_error(mixed(), "all"),
            "gpus: MIG instances and whole GPUs do not go together (0 = GPU-aaaa1, 1:0 = "
            "MIG-cccc3, 1:1 = MIG-dddd4); name those of one kind with ids");
  EXPECT_EQ(pool_error(mixed(), "ids:0,1:0").substr(0, 24), "gpus: MIG instances and ");
  EXPECT_EQ(pool_error(mixed(), "ids:1"),
            "gpus: `1` is in MIG mode; name its instances: 1:0 = MIG-cccc3, 1:1 = MIG-dddd4");
  EXPECT_THAT(uuids_of(pool(mixed(), "ids:1:0,MIG-dddd4").devices),
              ElementsAre("MIG-cccc3", "MIG-dddd4"));
}

TEST(GpuDemand, ACountIsAnyOfThePoolAndNotMoreThanItHas) {
  const gpu::Demand demand = gpu::demand_of(wish_of("2"), pool(four(), "ids:0,1,3"), four());
  EXPECT_EQ(demand.count, 2U);
  EXPECT_THAT(uuids_of(demand.candidates), ElementsAre("GPU-aaaa1", "GPU-aabb2", "GPU-dddd4"));
  EXPECT_EQ(demand.cause, "any 2 of 3 of the campaign's");
  EXPECT_EQ(error_of(ExitCode::usage,
                     [] { gpu::demand_of(wish_of("2"), pool(four(), "ids:0"), four()); }),
            "gpus: 2 are more than there are among those of the campaign (ids: 0 = GPU-aaaa1): "
            "0 = GPU-aaaa1");
  EXPECT_EQ(gpu::demand_of(wish_of("0"), pool(four(), "none"), four()).count, 0U);
}

TEST(GpuDemand, AllNoneAndIdsStayWithinThePool) {
  const Pool two = pool(four(), "ids:0,1");
  EXPECT_EQ(gpu::demand_of(wish_of("all"), two, four()).count, 2U);
  EXPECT_EQ(gpu::demand_of(wish_of("none"), two, four()).count, 0U);
  EXPECT_THAT(uuids_of(gpu::demand_of(wish_of("ids:1"), two, four()).candidates),
              ElementsAre("GPU-aabb2"));
  EXPECT_EQ(error_of(ExitCode::usage, [&] { gpu::demand_of(wish_of("ids:3"), two, four()); }),
            "gpus: `3` (GPU-dddd4) is not among those of the campaign (ids: 0 = GPU-aaaa1, 1 = "
            "GPU-aabb2): 0 = GPU-aaaa1, 1 = GPU-aabb2");
  EXPECT_NE(error_of(ExitCode::usage, [&] { gpu::demand_of(wish_of("auto"), two, four()); }),
            "no error");
}

TEST(GpuWish, WhatIsNoSelectionIsRefused) {
  for (const char* text : {"", "some", "-1", "2x", "ids:", "1.5"})
    EXPECT_NE(error_of(ExitCode::usage, [&] { wish_of(text); }), "no error") << text;
}

TEST(WhyNotFree, AProcessOrMemoryInUseHoldsADevice) {
  using Processes = gpu::Reading<std::vector<gpu::DeviceProcess>>;
  constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30U;
  Device device = four()[0];
  EXPECT_EQ(gpu::why_not_free(device), "");
  device.memory = gpu::Reading<gpu::DeviceMemory>::of({.total = 80 * gibibyte, .used = gibibyte});
  EXPECT_EQ(gpu::why_not_free(device), "");
  device.memory.value->used = 2 * gibibyte;
  EXPECT_EQ(gpu::why_not_free(device),
            "2.0 GiB of its memory are in use by no process that is seen here");
  device.processes = Processes::of({{.pid = 7, .name = "python", .user = "alice", .memory = {}},
                                    {.pid = 8, .name = "", .user = "", .memory = {}}});
  EXPECT_EQ(gpu::why_not_free(device), "pid 7 (python) of alice and 1 more holds it");
}

}  // namespace
}  // namespace controller
