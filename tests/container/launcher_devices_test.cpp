// What the launcher finds of GPUs, and what it makes of it.
#include "container/launcher/devices.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/container/launcher_process.hpp"

namespace container::testing {
namespace {

using ::testing::HasSubstr;
using namespace launcher;
namespace fs = std::filesystem;

// A folder in place of / inside a container.
class Inside {
 public:
  void file(const std::string& path, const std::string& text = "") const {
    const fs::path whole = folder_.path() / path;
    fs::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }
  // As the driver lists a GPU: by its address.
  void listed(const std::string& address, int number, const std::string& uuid) const {
    file("proc/driver/nvidia/gpus/" + address + "/information",
         "Model: \t\t NVIDIA H100\nIRQ:   \t\t 42\nGPU UUID: \t " + uuid + "\nDevice Minor: \t " +
             std::to_string(number) + "\n");
  }
  SeenGpus seen() const { return see_gpus(folder_.path()); }

 private:
  ScratchFolder folder_;
};

ExpectedGpus expecting(const std::vector<std::string>& gpus) {
  ExpectedGpus expected;
  for (const std::string& gpu : gpus) EXPECT_TRUE(expected.add(gpu)) << gpu;
  return expected;
}

TEST(LauncherDevices, AreSeenByTheirFilesAndTheDriversList) {
  const Inside inside;
  for (const char* name : {"nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "nvidia", "null"})
    inside.file(std::string("dev/") + name);
  inside.file("dev/dri/renderD129");
  inside.file("dev/dri/card0");
  inside.file("dev/kfd");
  inside.listed("0000:3b:00.0", 10, "GPU-a");
  inside.listed("0000:5e:00.0", 7, "GPU-of-another-container");
  const SeenGpus seen = inside.seen();
  ASSERT_EQ(seen.all.size(), 3u);
  EXPECT_EQ(seen.all[0].file, "/dev/nvidia2");
  EXPECT_EQ(seen.all[0].uuid, "");
  EXPECT_EQ(seen.all[1].file, "/dev/nvidia10");
  EXPECT_EQ(seen.all[1].uuid, "GPU-a");
  EXPECT_EQ(seen.all[2].file, "/dev/dri/renderD129");
  EXPECT_TRUE(seen.kfd);
  EXPECT_FALSE(seen.dxg);
}

TEST(LauncherDevices, AreRightWhereExactlyTheLeasedOnesAreThere) {
  const Inside inside;
  inside.file("dev/nvidia0");
  inside.file("dev/nvidia3");
  EXPECT_EQ(mismatch(expecting({"GPU-a=/dev/nvidia3", "MIG-b=/dev/nvidia0"}), inside.seen()), "");
  inside.listed("0", 3, "GPU-a");
  inside.listed("1", 0, "GPU-parent");
  EXPECT_EQ(mismatch(expecting({"GPU-a=/dev/nvidia3", "MIG-b=/dev/nvidia0"}), inside.seen()), "");
}

TEST(LauncherDevices, AnEngineThatGaveNothingIsFound) {
  unsetenv("NVIDIA_VISIBLE_DEVICES");
  EXPECT_EQ(mismatch(expecting({"GPU-a=/dev/nvidia0"}), Inside().seen()),
            "the GPUs are not the leased ones: expected GPU-a (/dev/nvidia0); seen no GPU, "
            "NVIDIA_VISIBLE_DEVICES not set: /dev/nvidia0 is missing");
  EXPECT_THAT(mismatch(expecting({"GPU-a="}), Inside().seen()), HasSubstr("GPU-a is missing"));
}

TEST(LauncherDevices, AnotherDeviceUnderTheSameFileIsFound) {
  const Inside inside;
  inside.file("dev/nvidia0");
  inside.listed("0", 0, "GPU-b");
  EXPECT_THAT(mismatch(expecting({"GPU-a=/dev/nvidia0"}), inside.seen()),
              HasSubstr("seen /dev/nvidia0 (GPU-b)"));
}

TEST(LauncherDevices, WhatTheDriverHasNotInitialisedYetIsNoOtherDevice) {
  const Inside inside;
  inside.file("dev/nvidia0");
  inside.listed("0000:3b:00.0", 0, "GPU-" + std::string(8, '?'));
  EXPECT_EQ(mismatch(expecting({"GPU-a=/dev/nvidia0"}), inside.seen()), "");
}

TEST(LauncherDevices, MoreThanTheLeasedOnesIsRefusedUnlessAllowed) {
  const Inside inside;
  inside.file("dev/nvidia0");
  inside.file("dev/nvidia1");
  inside.file("dev/dri/renderD128");
  ExpectedGpus expected = expecting({"GPU-a=/dev/nvidia0"});
  EXPECT_THAT(mismatch(expected, inside.seen()), HasSubstr("/dev/nvidia1 is there too"));
  expected.others_allowed = true;
  EXPECT_EQ(mismatch(expected, inside.seen()), "");
  EXPECT_EQ(mismatch(expecting({"GPU-a=/dev/nvidia0", "GPU-b=/dev/nvidia1"}), inside.seen()), "")
      << "another vendor's device is not ours to judge";
}

TEST(LauncherDevices, WithoutAKnownFileTheDriversListOrAnyGpuWillDo) {
  const Inside inside;
  inside.file("dev/nvidia0");
  inside.file("dev/nvidia1");
  EXPECT_EQ(mismatch(expecting({"MIG-a="}), inside.seen()), "");
  const Inside windows;
  windows.file("dev/dxg");
  EXPECT_EQ(mismatch(expecting({"GPU-a="}), windows.seen()), "");
}

TEST(LauncherDevices, AmdsNeedTheComputeDeviceToo) {
  const Inside inside;
  inside.file("dev/dri/renderD128");
  const ExpectedGpus expected = expecting({"GPU-f00d=/dev/dri/renderD128"});
  EXPECT_THAT(mismatch(expected, inside.seen()), HasSubstr("/dev/kfd is missing"));
  inside.file("dev/kfd");
  EXPECT_EQ(mismatch(expected, inside.seen()), "");
  inside.file("dev/dri/renderD129");
  EXPECT_THAT(mismatch(expected, inside.seen()), HasSubstr("renderD129 is there too"));
}

TEST(LauncherDevices, WrongOnesKeepThePayloadFromStarting) {
  const ScratchFolder folder;
  const auto end = launch({.out = folder.path(),
                           .flags = {"--gpu", "GPU-a=/dev/nvidia99"},
                           .command = {"sh", "-c", "echo ran"},
                           .env = {{"NVIDIA_VISIBLE_DEVICES", "void"}}});
  EXPECT_EQ(end.exit_code, 72);
  EXPECT_THAT(end.err, HasSubstr("expected GPU-a (/dev/nvidia99)"));
  EXPECT_FALSE(fs::exists(folder.path() / "begun"));
  EXPECT_FALSE(fs::exists(folder.path() / "outcome.json"));
  const auto said = nlohmann::json::parse(read_text(folder.path() / "devices.json"));
  EXPECT_EQ(said.at("v"), 1);
  EXPECT_EQ(said.at("nvidia_visible_devices"), "void");
  EXPECT_THAT(said.at("mismatch").get<std::string>(), HasSubstr("/dev/nvidia99 is missing"));
}

TEST(LauncherDevices, AnAttemptThatHasBegunIsNotJudgedAnew) {
  const ScratchFolder folder;
  launch({.out = folder.path(), .command = {"true"}});
  const auto end = launch(
      {.out = folder.path(), .flags = {"--gpu", "GPU-a=/dev/nvidia99"}, .command = {"true"}});
  EXPECT_EQ(end.exit_code, 125);
  EXPECT_FALSE(fs::exists(folder.path() / "devices.json"));
}

TEST(LauncherDevices, AFlagThatIsNoDeviceIsRefused) {
  for (const char* text : {"GPU-a", "=/dev/nvidia0", "GPU-a=nvidia0"}) {
    const ScratchFolder folder;
    EXPECT_EQ(
        launch({.out = folder.path(), .flags = {"--gpu", text}, .command = {"true"}}).exit_code, 64)
        << text;
  }
}

}  // namespace
}  // namespace container::testing
