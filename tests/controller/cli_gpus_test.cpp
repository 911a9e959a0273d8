#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "controller/cli/gpus_report.hpp"
#include "controller/errors.hpp"
#include "controller/gpu/lease.hpp"
#include "tests/support/controller/gpu_support.hpp"

namespace controller::cli {
namespace {

using testing::campaignctl;
using testing::Folder;
using ::testing::HasSubstr;
using testing::NvmlScript;
using testing::Outcome;

GpusRequest request(const Folder& leases, const std::string& visible, std::string select = "") {
  return {.discovery = {.nvml = testing::stub_library,
                        .nvidia_smi = "/absent/nvidia-smi",
                        .sysfs = "/absent"},
          .environment = [visible](const std::string& name) -> std::optional<std::string> {
            if (name == "CUDA_VISIBLE_DEVICES") return visible;
            return std::nullopt;
          },
          .lease_folder = leases.path(),
          .select = std::move(select)};
}

constexpr char three_gpus[] =
    "gpu 0 uuid=GPU-aaaa total=85899345920 used=1288490189 temperature=41 power=70500 "
    "name=NVIDIA H100\n"
    "gpu 1 uuid=GPU-bbbb total=85899345920 used=536870912 temperature=35 name=NVIDIA H100\n"
    "gpu 2 uuid=GPU-cccc total=85899345920 used=536870912 power=68000 name=NVIDIA H100\n"
    "process 0 pid=999999999 memory=1073741824\n"
    "error nvmlDeviceGetTemperature 2 15\n";

TEST(GpusReport, TextIsATableAndWhoHoldsWhat) {
  const NvmlScript script(three_gpus);
  const Folder leases;
  const auto lease = gpu::Lease::take(
      {.folder = leases.path(), .uuid = "GPU-bbbb", .campaign = "llm"}, campaign::system_clock());
  EXPECT_EQ(gpus_text(gpus_report(request(leases, "0,1"))),
            "GPU  uuid      name                  memory  temp  power  use\n"
            "0    GPU-aaaa  NVIDIA H100  1.2 of 80.0 GiB  41 C   70 W  in use\n"
            "1    GPU-bbbb  NVIDIA H100  0.5 of 80.0 GiB  35 C      -  leased\n"
            "2    GPU-cccc  NVIDIA H100  0.5 of 80.0 GiB     -   68 W  not granted\n"
            "GPU 0 is held by pid 999999999, 1.0 GiB\n"
            "GPU 1 is leased by " +
                lease.holder +
                "\n"
                "GPU 1: no power: nvmlDeviceGetPowerUsage: Not Supported\n"
                "GPU 2: no temperature: nvmlDeviceGetTemperature: GPU is lost\n"
                "driver 550.54.15, CUDA 12.4\n"
                "grant: 2 of 3; CUDA_VISIBLE_DEVICES=0,1\n");
}

TEST(GpusReport, JsonHasTheGrantAndWhatIsUnknownIsNull) {
  const NvmlScript script(three_gpus);
  const Folder leases;
  const auto json = nlohmann::json::parse(gpus_json(gpus_report(request(leases, "0,2"))));
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_EQ(json["reason"], "CUDA_VISIBLE_DEVICES=0,2");
  EXPECT_EQ(json["not_granted"].at(0)["uuid"], "GPU-bbbb");
  EXPECT_EQ(json["gpus"].at(0), nlohmann::json::parse(R"({
      "index": "0", "uuid": "GPU-aaaa", "vendor": "nvidia", "name": "NVIDIA H100",
      "mig_parent": null, "mig_mode": false, "memory_total_bytes": 85899345920,
      "memory_used_bytes": 1288490189, "temperature_c": 41, "power_w": 70.5, "use": "in use",
      "lease": null,
      "processes": [{"pid": 999999999, "name": null, "user": null, "memory_bytes": 1073741824}],
      "unavailable": {}})"));
  EXPECT_TRUE(json["gpus"].at(1)["temperature_c"].is_null());
  EXPECT_EQ(json["gpus"].at(1)["unavailable"]["temperature"],
            "nvmlDeviceGetTemperature: GPU is lost");
  EXPECT_EQ(json["driver_version"], "550.54.15");
  EXPECT_EQ(json["places"].at(0)["answer"], "devices");
}

TEST(GpusReport, AVersionThatCannotBeReadSaysWhyAndTheOtherStands) {
  const NvmlScript script(std::string(three_gpus) + "error nvmlSystemGetDriverVersion * 999\n");
  const Folder leases;
  const GpusReport report = gpus_report(request(leases, "0"));
  const std::string why = "nvmlSystemGetDriverVersion: ";
  EXPECT_THAT(gpus_text(report), HasSubstr("\nCUDA 12.4\nno driver version: " + why));
  const auto json = nlohmann::json::parse(gpus_json(report));
  EXPECT_TRUE(json["driver_version"].is_null());
  EXPECT_EQ(json["cuda_version"], "12.4");
  EXPECT_THAT(json["unavailable"]["driver_version"].get<std::string>(), HasSubstr(why));
  EXPECT_FALSE(json["unavailable"].contains("cuda_version"));
}

TEST(GpusReport, WithoutGpusItSaysEachPlaceThatWasLookedAt) {
  const Folder leases;
  GpusRequest asked = request(leases, "");
  asked.discovery.nvml = "/absent/libnvidia-ml.so.1";
  const GpusReport report = gpus_report(asked);
  EXPECT_EQ(gpus_text(report),
            "no GPUs were found; looked at:\n"
            "  NVML (/absent/libnvidia-ml.so.1): cannot be loaded: /absent/libnvidia-ml.so.1: "
            "cannot open shared object file: No such file or directory\n"
            "  /absent/nvidia-smi: not installed\n"
            "  /absent/class/kfd: is not there: no AMD compute driver\n");
  const auto json = nlohmann::json::parse(gpus_json(report));
  EXPECT_TRUE(json["gpus"].empty());
  EXPECT_TRUE(json["driver_version"].is_null());
  EXPECT_EQ(json["places"].size(), 3U);
}

TEST(GpusReport, ASelectionIsResolvedToUuidsWithItsCause) {
  const NvmlScript script(three_gpus);
  const Folder leases;
  const std::string text = gpus_text(gpus_report(request(leases, "0,1,2", "2")));
  EXPECT_THAT(text, HasSubstr("selection: any 2 of 2 of the campaign's (auto: the free ones of the "
                              "grant, 2 of 3; not 0: pid 999999999 holds it)\n"
                              "  GPU-bbbb\n  GPU-cccc\n"));
  const auto json =
      nlohmann::json::parse(gpus_json(gpus_report(request(leases, "0,1,2", "ids:GPU-aa"))));
  EXPECT_EQ(json["selection"]["uuids"].at(0), "GPU-aaaa");
  EXPECT_EQ(json["selection"]["count"], 1);
  EXPECT_THROW(gpus_report(request(leases, "0,1,2", "3")), CommandError);
}

TEST(GpusReport, AGrantThatCannotBeHadLeavesTheListOfDevices) {
  const NvmlScript script(three_gpus);
  const Folder leases;
  const GpusReport report = gpus_report(request(leases, "7"));
  EXPECT_THAT(report.grant_fault, HasSubstr("there is no GPU `7`"));
  EXPECT_THAT(gpus_text(report), HasSubstr("GPU-cccc"));
}

// The program itself finds the stand-in through the dynamic linker's path.
class GpusCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("LD_LIBRARY_PATH", NVML_STUB_DIR "/nvml", 1);
    for (const char* name : {"SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "CUDA_VISIBLE_DEVICES"})
      unsetenv(name);
  }
  void TearDown() override {
    unsetenv("LD_LIBRARY_PATH");
    unsetenv("CUDA_VISIBLE_DEVICES");
  }
  Outcome ctl(const std::vector<std::string>& words) { return campaignctl(folder_.path(), words); }
  Folder folder_;
};

TEST_F(GpusCommand, ListsDevicesAndChangesNothing) {
  const NvmlScript script(three_gpus);
  const std::string before = folder_.tree();
  const Outcome text = ctl({"gpus"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("0    GPU-aaaa"));
  const Outcome json = ctl({"gpus", "--json"});
  EXPECT_EQ(nlohmann::json::parse(json.out)["gpus"].size(), 3U);
  EXPECT_EQ(folder_.tree(), before);
}

TEST_F(GpusCommand, ASelectionBeyondTheGrantIsAUsageError) {
  const NvmlScript script(three_gpus);
  setenv("CUDA_VISIBLE_DEVICES", "1", 1);
  const Outcome outcome = ctl({"gpus", "--select", "ids:2"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("is not among those granted (CUDA_VISIBLE_DEVICES=1)"));
  setenv("CUDA_VISIBLE_DEVICES", "9", 1);
  EXPECT_EQ(ctl({"gpus"}).code, 3);
}

TEST_F(GpusCommand, DoctorNamesWhoHoldsADevice) {
  const NvmlScript script(three_gpus);
  const auto checks = nlohmann::json::parse(ctl({"doctor", "--json"}).out)["checks"];
  const auto found = std::find_if(checks.begin(), checks.end(),
                                  [](const auto& check) { return check["name"] == "gpus"; });
  ASSERT_NE(found, checks.end());
  const auto& gpus = *found;
  EXPECT_EQ(gpus["verdict"], "ok");
  EXPECT_EQ(gpus["finding"],
            "3 devices, 3 granted here; driver 550.54.15, CUDA 12.4; GPU 0 is held by pid "
            "999999999, 1.0 GiB");
}

TEST_F(GpusCommand, ADriverThatFailsIsAWarningOfDoctorAndAFailureOfGpus) {
  const NvmlScript script("error nvmlInit_v2 * 9\n");
  const Outcome gpus = ctl({"gpus"});
  EXPECT_EQ(gpus.code, 3);
  EXPECT_THAT(gpus.out, HasSubstr("loaded, but nvmlInit_v2: Driver Not Loaded"));
  const auto check = nlohmann::json::parse(ctl({"doctor", "--json"}).out)["checks"].back();
  EXPECT_EQ(check["verdict"], "warning");
  EXPECT_THAT(check["finding"].get<std::string>(), HasSubstr("Driver Not Loaded"));
}

}  // namespace
}  // namespace controller::cli
