// Facts of a machine whose kernel's folders the test makes, and of GPUs that a script describes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "campaign/state/files.hpp"
#include "controller/environment/watch.hpp"
#include "controller/gpu/bounded.hpp"
#include "tests/support/container/loop.hpp"
#include "tests/support/controller/gpu_support.hpp"

namespace controller {
namespace {

using controller::testing::made_devices;
using controller::testing::NvmlScript;
using controller::testing::stub_library;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string shown(const campaign::FactGroup& group, const std::string& fact) {
  const campaign::Fact* found = group.find(fact);
  return found ? campaign::to_text(*found) : "no such fact";
}

class EnvironmentTest : public ::testing::Test {
 protected:
  EnvironmentTest() {
    cpu("online", "0-3");
    cpu("smt/control", "on");
    for (const char* policy : {"cpufreq/policy0/", "cpufreq/policy2/"}) {
      cpu(std::string(policy) + "scaling_driver", "intel_pstate");
      cpu(std::string(policy) + "scaling_governor", "powersave");
      cpu(std::string(policy) + "scaling_min_freq", "800000");
      cpu(std::string(policy) + "scaling_max_freq", "3600000");
    }
    cpu("intel_pstate/no_turbo", "0");
    write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Xeon 42\nmodel name\t: other\n");
    write("proc/meminfo", "MemTotalX: 1 kB\nMemTotal:       4045624 kB\nMemFree: 1 kB\n");
    write("os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n");
  }

  void write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = folder_.path() + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    campaign::write_atomically(path, text);
  }
  void cpu(const std::string& name, const std::string& text) const {
    write("sys/devices/system/cpu/" + name, text + "\n");
  }
  EnvironmentPlaces places() const {
    return {.roots = {.proc = folder_.path() + "/proc", .sys = folder_.path() + "/sys"},
            .os_release = folder_.path() + "/os-release"};
  }
  EnvironmentWatch watch(double patience = 30) {
    return EnvironmentWatch({.places = places(),
                             .nvml = stub_library,
                             .patience = patience,
                             .engine = &engine_,
                             .variables = [](const std::string&) { return std::nullopt; },
                             .version = "0.1.0",
                             .file = folder_.path() + "/environment.json",
                             .clock = &campaign::system_clock(),
                             .wake = &wake_});
  }
  // By a run that becomes a result.
  struct Seen {
    campaign::EnvironmentRecord environment;
    std::vector<std::string> notes;
  };
  Seen look(EnvironmentWatch& at, std::vector<gpu::Device> devices = {}) {
    Seen seen{.environment = loop_.run(at.look(std::move(devices))), .notes = at.notes()};
    at.told(seen.notes);
    return seen;
  }

  controller::testing::Folder folder_;
  container::EngineInfo engine_{.name = "node7", .version = "20.10.24", .cgroup_version = "2"};
  container::test::Loop loop_;
  Wake wake_;
};

TEST_F(EnvironmentTest, HostIsReadWhereTheKernelTells) {
  const campaign::FactGroup host = host_facts(places());
  EXPECT_EQ(shown(host, "os"), "Debian GNU/Linux 12");
  EXPECT_EQ(shown(host, "memory_bytes"), "4142718976");
  EXPECT_THAT(shown(host, "kernel"), HasSubstr("Linux "));
  EXPECT_EQ(campaign::to_text(cpu_model(places())), "Xeon 42");
}

TEST_F(EnvironmentTest, FrequencyIsThatOfAllPolicies) {
  cpu("cpufreq/policy2/scaling_governor", "performance");
  cpu("cpufreq/policy2/scaling_min_freq", "1200000");
  cpu("cpufreq/policy2/scaling_max_freq", "2800500");
  const campaign::FactGroup cpus = cpu_facts(places());
  EXPECT_EQ(shown(cpus, "online"), "0-3");
  EXPECT_EQ(shown(cpus, "smt"), "on");
  EXPECT_EQ(shown(cpus, "frequency_driver"), "intel_pstate");
  EXPECT_EQ(shown(cpus, "governor"), "performance, powersave");
  EXPECT_EQ(shown(cpus, "min_mhz"), "800");
  EXPECT_EQ(shown(cpus, "max_mhz"), "3600");
  EXPECT_EQ(shown(cpus, "boost"), "yes");
}

TEST_F(EnvironmentTest, BoostOfOtherDriversIsTheirOwnFile) {
  std::filesystem::remove_all(folder_.path() + "/sys/devices/system/cpu/intel_pstate");
  cpu("cpufreq/boost", "0");
  EXPECT_EQ(shown(cpu_facts(places()), "boost"), "no");
}

TEST_F(EnvironmentTest, WhatCannotBeReadSaysWhyAndIsNoZero) {
  const EnvironmentPlaces nowhere{.roots = {.proc = "/absent/proc", .sys = "/absent/sys"},
                                  .os_release = "/absent/os-release"};
  const campaign::FactGroup cpus = cpu_facts(nowhere);
  EXPECT_EQ(shown(cpus, "governor"),
            "unavailable (the kernel governs no frequency here: no "
            "/absent/sys/devices/system/cpu/cpufreq/policy*)");
  EXPECT_THAT(shown(cpus, "max_mhz"), HasSubstr("unavailable (the kernel governs no frequency"));
  EXPECT_EQ(shown(cpus, "online"),
            "unavailable (/absent/sys/devices/system/cpu/online: No such file or directory)");
  EXPECT_EQ(shown(host_facts(nowhere), "memory_bytes"),
            "unavailable (/absent/proc/meminfo: No such file or directory)");
  cpu("cpufreq/policy0/scaling_min_freq", "<unknown>");
  EXPECT_EQ(shown(cpu_facts(places()), "min_mhz"), "unavailable (no number: <unknown>)");
  write("proc/meminfo", "MemFree: 1 kB\n");
  EXPECT_THAT(shown(host_facts(places()), "memory_bytes"), HasSubstr("has no MemTotal"));
}

TEST_F(EnvironmentTest, AnEngineSaysWhatItDoesNotSay) {
  const campaign::FactGroup engine = engine_facts(engine_);
  EXPECT_EQ(shown(engine, "kind"), "docker");
  EXPECT_EQ(shown(engine, "version"), "20.10.24");
  EXPECT_EQ(shown(engine, "cgroup_version"), "2");
  EXPECT_EQ(shown(engine, "cgroup_driver"), "unavailable (the engine does not say)");
}

TEST_F(EnvironmentTest, AnImageThatNoRegistryHasHasNoDigest) {
  container::ImageInfo image{.id = "sha256:1"};
  EXPECT_EQ(shown(image_facts("i:1", image), "digest"),
            "unavailable (it was made here, and no registry has it)");
  image.repo_digests = {"i@sha256:2"};
  EXPECT_EQ(shown(image_facts("i:1", image), "digest"), "i@sha256:2");
}

TEST_F(EnvironmentTest, AJobIsNamedByItsScheduler) {
  const auto variables = [](const std::string& name) -> std::optional<std::string> {
    if (name == "SLURM_JOB_ID") return "4711";
    if (name == "SLURM_JOB_PARTITION") return "gpu";
    if (name == "PBS_JOBID") return "1";
    return std::nullopt;
  };
  const auto job = job_facts(variables);
  ASSERT_TRUE(job);
  EXPECT_EQ(shown(*job, "scheduler"), "slurm");
  EXPECT_EQ(shown(*job, "id"), "4711");
  EXPECT_EQ(shown(*job, "partition"), "gpu");
  EXPECT_EQ(job->find("name"), nullptr);
  EXPECT_FALSE(job_facts([](const std::string&) { return std::nullopt; }));
}

const char set_up_gpus[] =
    "driver 550.54.15\ncuda 12040\n"
    "gpu 0 uuid=GPU-a set_limit=350000 default_limit=700000 persistence=1 slots=0\n"
    "gpu 1 uuid=GPU-b set_limit=250000 persistence=0 ecc=1 max_graphics=1410 slots=2\n"
    "instance 1:0 uuid=MIG-b\n";

TEST_F(EnvironmentTest, GpusAreThoseOfTheRunInItsOrder) {
  const NvmlScript script(set_up_gpus);
  std::vector<gpu::Device> devices = made_devices({"GPU-a", "GPU-b", "MIG-b"});
  devices = {devices[2], devices[0]};
  EnvironmentWatch here = watch();
  const auto gpus = look(here, devices).environment.gpus;
  ASSERT_EQ(gpus.size(), 2U);
  EXPECT_EQ(shown(gpus[0], "uuid"), "MIG-b");
  EXPECT_EQ(shown(gpus[0], "mig_instance_of"), "GPU-b");
  EXPECT_EQ(shown(gpus[0], "power_limit_w"), "250") << "that of its GPU";
  EXPECT_EQ(shown(gpus[0], "ecc"), "yes");
  EXPECT_EQ(shown(gpus[1], "uuid"), "GPU-a");
  EXPECT_EQ(shown(gpus[1], "driver_version"), "550.54.15");
  EXPECT_EQ(shown(gpus[1], "cuda_version"), "12.4");
  EXPECT_EQ(shown(gpus[1], "default_power_limit_w"), "700");
  EXPECT_EQ(shown(gpus[1], "persistence"), "yes");
  EXPECT_EQ(shown(gpus[1], "application_graphics_mhz"),
            "unavailable (nvmlDeviceGetApplicationsClock: Not Supported)");
}

TEST_F(EnvironmentTest, GpusThatCannotBeAskedSayWhy) {
  const NvmlScript script(set_up_gpus);
  std::vector<gpu::Device> devices = made_devices({"GPU-elsewhere", "GPU-amd"});
  devices[1].vendor = gpu::Device::Vendor::amd;
  EnvironmentWatch here = watch();
  auto gpus = look(here, devices).environment.gpus;
  EXPECT_EQ(shown(gpus[0], "ecc"), "unavailable (the driver has no GPU-elsewhere)");
  EXPECT_EQ(shown(gpus[1], "ecc"), "unavailable (read from NVIDIA's library alone)");
  GpuSettings without("/absent/libnvidia-ml.so.1");
  gpus = without.read(made_devices({"GPU-a"}));
  EXPECT_THAT(shown(gpus[0], "power_limit_w"), HasSubstr("No such file"));
}

TEST_F(EnvironmentTest, ADriverThatHangsIsAskedOnceAndHoldsNothingUp) {
  const NvmlScript script(std::string(set_up_gpus) + "hang nvmlDeviceGetPersistenceMode\n");
  EnvironmentWatch here = watch(0.2);
  const auto devices = made_devices({"GPU-a"});
  const auto first = look(here, devices).environment.gpus;
  EXPECT_EQ(shown(first[0], "persistence"), "unavailable (the driver did not answer within 0.2 s)");
  const double begin = campaign::system_clock().boottime();
  const auto second = look(here, devices).environment.gpus;
  EXPECT_LT(campaign::system_clock().boottime() - begin, 0.15);
  EXPECT_EQ(shown(second[0], "persistence"),
            "unavailable (not asked: the driver did not answer within 0.2 s before)");
}

TEST_F(EnvironmentTest, ADriverThatWouldHangWhenItIsClosedHoldsNobody) {
  const NvmlScript script(set_up_gpus);
  auto settings = std::make_unique<GpuSettings>(stub_library);
  settings->read(made_devices({"GPU-a"}));
  script.becomes(std::string(set_up_gpus) + "hang nvmlShutdown\n");
  EXPECT_TRUE(gpu::within(30, [settings = std::move(settings)]() mutable {
    settings.reset();
    return true;
  }));
}

TEST_F(EnvironmentTest, WhatChangesBetweenRunsIsANoteOfTheFirstThatSeesIt) {
  const NvmlScript script(set_up_gpus);
  const auto devices = made_devices({"GPU-a"});
  EnvironmentWatch here = watch();
  EXPECT_THAT(look(here, devices).notes, IsEmpty());
  cpu("cpufreq/policy0/scaling_governor", "performance");
  cpu("cpufreq/policy2/scaling_governor", "performance");
  EXPECT_THAT(look(here).notes,
              ElementsAre("the environment has changed: cpu governor: powersave -> performance"));
  const NvmlScript lower("driver 550.54.15\ngpu 0 uuid=GPU-a set_limit=300000 persistence=1\n");
  EXPECT_THAT(look(here, devices).notes,
              ElementsAre("the environment has changed: GPU 0 power_limit_w: 350 -> 300"))
      << "compared with the last run that had this GPU";
  EXPECT_THAT(look(here, devices).notes, IsEmpty());
}

TEST_F(EnvironmentTest, ALaterControllerSeesWhatChangedMeanwhile) {
  const auto devices = made_devices({"GPU-a"});
  {
    const NvmlScript script(set_up_gpus);
    EnvironmentWatch before = watch();
    look(before, devices);
  }
  const NvmlScript script(std::string(set_up_gpus) + "driver 560.1\n");
  engine_.version = "28.0";
  EnvironmentWatch after = watch();
  const auto notes = look(after, devices).notes;
  EXPECT_THAT(notes, Contains("the environment has changed: engine version: 20.10.24 -> 28.0"));
  EXPECT_THAT(notes,
              Contains("the environment has changed: GPU 0 driver_version: 550.54.15 -> 560.1"));
}

TEST_F(EnvironmentTest, AChangeIsSaidUntilItStandsInAResultAlsoAfterAKill) {
  {
    EnvironmentWatch before = watch();
    look(before);
    engine_.version = "28.0";
  }
  constexpr char change[] = "the environment has changed: engine version: 20.10.24 -> 28.0";
  {
    EnvironmentWatch killed = watch();
    loop_.run(killed.look({}));
    EXPECT_THAT(killed.notes(), ElementsAre(change));
  }
  EnvironmentWatch after = watch();
  EXPECT_THAT(look(after).notes, ElementsAre(change));
  EXPECT_THAT(look(after).notes, IsEmpty());
  EXPECT_THAT(watch().notes(), IsEmpty());
}

TEST_F(EnvironmentTest, ARunThatFailsBeforeAnyLookHasAtLeastWhatStays) {
  const campaign::EnvironmentRecord last = watch().last({});
  EXPECT_EQ(shown(*last.find("host"), "os"), "Debian GNU/Linux 12");
  EXPECT_EQ(shown(*last.find("engine"), "version"), "20.10.24");
}

TEST_F(EnvironmentTest, AFileThatIsNotWholeIsAsGoodAsNone) {
  write("environment.json", "{\"cpu\": {\"online\"");
  EnvironmentWatch here = watch();
  EXPECT_THAT(look(here).notes, IsEmpty());
}

TEST_F(EnvironmentTest, ARunThatIsUnderWayHasWhatWasSeenLastAndNothingIsAsked) {
  const auto devices = made_devices({"GPU-a", "GPU-b"});
  {
    const NvmlScript script(set_up_gpus);
    EnvironmentWatch before = watch();
    look(before, {devices[0]});
  }
  cpu("online", "0");
  const campaign::EnvironmentRecord last = watch().last(devices);
  EXPECT_EQ(shown(*last.find("cpu"), "online"), "0-3");
  EXPECT_EQ(shown(last.gpus[0], "power_limit_w"), "350");
  EXPECT_EQ(shown(last.gpus[1], "power_limit_w"), "unavailable (not asked before the run began)");
}

}  // namespace
}  // namespace controller
