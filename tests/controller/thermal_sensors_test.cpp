// Temperatures of chips and processors, and a thermometer that no sensor holds up.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>

#include "controller/gpu/bounded.hpp"
#include "controller/thermal/thermometer.hpp"
#include "tests/support/container/loop.hpp"
#include "tests/support/controller/gpu_support.hpp"

namespace controller::thermal {
namespace {

namespace fs = std::filesystem;
using controller::testing::made_devices;
using controller::testing::NvmlScript;
using controller::testing::stub_library;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// A folder made like the kernel's, and a thermometer that reads it and the stand-in library.
class Thermal : public ::testing::Test {
 protected:
  Thermal() {
    sources_ = {.nvml = stub_library, .roots = {.proc = "/absent", .sys = folder_.path() + "/sys"}};
  }
  Thermometer thermometer(double patience = 30) {
    return Thermometer(
        {.wake = &wake_,
         .clock = &campaign::system_clock(),
         .cancelled = nullptr,
         .open = [from = sources_](const auto& chips) { return open_temperatures(from, chips); },
         .patience_at_first = patience,
         .patience = patience});
  }
  Temperatures read(Thermometer& thermometer, const std::vector<Chip>& chips, double most = 60) {
    return loop_.run(thermometer.read(chips, most));
  }
  Temperatures read(const std::vector<Chip>& chips) {
    Thermometer once = thermometer();
    return read(once, chips);
  }
  void write(const std::string& name, const std::string& text) const {
    const fs::path path = fs::path(sources_.roots.sys) / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  controller::testing::Folder folder_;
  TemperatureSources sources_;
  Wake wake_;
  container::test::Loop loop_;
};

TEST_F(Thermal, ChipsOfInstancesAreTheGpusThatTheyArePartOf) {
  const auto devices = made_devices({"GPU-a", "GPU-b", "MIG-1", "MIG-2"});
  const auto chips = chips_of({devices[0], devices[2], devices[3]});
  ASSERT_EQ(chips.size(), 2U);
  EXPECT_EQ(chips[0].id, "GPU-a");
  EXPECT_EQ(chips[0].label, "GPU 0");
  EXPECT_EQ(chips[1].id, "GPU-b");
  EXPECT_EQ(chips[1].label, "GPU 1");
}

TEST_F(Thermal, LibraryThatWouldHangWhenItIsClosedHoldsNobody) {
  constexpr char one_gpu[] = "gpu 0 uuid=GPU-a temperature=41\n";
  const NvmlScript script(one_gpu);
  auto found = open_temperatures(sources_, chips_of(made_devices({"GPU-a"})));
  ASSERT_TRUE(found.sensor) << found.source.unavailable;
  script.becomes(std::string(one_gpu) + "hang nvmlShutdown\n");
  EXPECT_TRUE(gpu::within(30, [sensor = std::move(found.sensor)]() mutable {
    sensor.reset();
    return true;
  }));
}

TEST_F(Thermal, NvidiaChipsAreFoundByUuid) {
  const NvmlScript script("gpu 0 uuid=GPU-a temperature=41\ngpu 1 uuid=GPU-b temperature=57\n");
  auto devices = made_devices({"GPU-a", "GPU-b"});
  const Temperatures warmth = read(chips_of({devices[1]}));
  EXPECT_THAT(warmth.celsius(), ElementsAre(Pair("GPU-b", 57)));
  EXPECT_EQ(warmth.all.at(0).label, "GPU 1");
}

TEST_F(Thermal, PlantOfTheStandInLibraryCools) {
  const NvmlScript script("gpu 0 uuid=GPU-a temperature=plant:85,30,100\n");
  const auto ago = fs::file_time_type::clock::now() - std::chrono::seconds(100);
  fs::last_write_time(script.path(), ago);
  const Temperatures warmth = read(chips_of(made_devices({"GPU-a"})));
  EXPECT_NEAR(warmth.celsius().at("GPU-a"), 30 + 55 / std::exp(1), 1);
}

TEST_F(Thermal, ChipWithoutASensorSaysWhy) {
  const NvmlScript script("gpu 0 uuid=GPU-a\n");
  EXPECT_EQ(read(chips_of(made_devices({"GPU-a"}))).why,
            "GPU 0: nvmlDeviceGetTemperature: Not Supported");
  EXPECT_EQ(read(chips_of(made_devices({"GPU-x"}))).why, "GPU 0: NVML does not know it");
  sources_.nvml = "/absent/libnvidia-ml.so.1";
  EXPECT_THAT(read(chips_of(made_devices({"GPU-a"}))).why, HasSubstr("/absent/libnvidia-ml.so.1"));
}

TEST_F(Thermal, OneChipOfTwoIsEnough) {
  const NvmlScript script(
      "gpu 0 uuid=GPU-a temperature=41\ngpu 1 uuid=GPU-b temperature=50\n"
      "error nvmlDeviceGetTemperature 1 15\n");
  const Temperatures warmth = read(chips_of(made_devices({"GPU-a", "GPU-b"})));
  EXPECT_THAT(warmth.celsius(), ElementsAre(Pair("GPU-a", 41)));
}

TEST_F(Thermal, AmdChipsAreReadFromSysfs) {
  write("class/drm/renderD129/device/hwmon/hwmon3/temp1_input", "53000\n");
  gpu::Device device{.vendor = gpu::Device::Vendor::amd, .index = "1", .minor = 1, .uuid = "GPU-c"};
  EXPECT_THAT(read(chips_of({device})).celsius(), ElementsAre(Pair("GPU-c", 53)));
  device.minor = 0;
  EXPECT_THAT(read(chips_of({device})).why, HasSubstr("renderD128/device/hwmon has none"));
}

TEST_F(Thermal, WithoutChipsProcessorsAreRead) {
  write("class/hwmon/hwmon0/name", "coretemp\n");
  write("class/hwmon/hwmon0/temp1_label", "Package id 0\n");
  write("class/hwmon/hwmon0/temp1_input", "47500\n");
  const Temperatures warmth = read({});
  EXPECT_THAT(warmth.celsius(), ElementsAre(Pair("hwmon.coretemp.Package id 0", 47.5)));
  EXPECT_EQ(warmth.all.at(0).label, "coretemp Package id 0");
}

TEST_F(Thermal, HostWithoutSensorsSaysSo) {
  EXPECT_THAT(read({}).why, HasSubstr("there is no processor's sensor in"));
}

TEST_F(Thermal, ReadingsFollowTheSensor) {
  const NvmlScript script("gpu 0 uuid=GPU-a temperature=60\n");
  Thermometer open = thermometer();
  const auto chips = chips_of(made_devices({"GPU-a"}));
  EXPECT_EQ(read(open, chips).celsius().at("GPU-a"), 60);
  std::ofstream(script.path()) << "gpu 0 uuid=GPU-a temperature=59\n";
  EXPECT_EQ(read(open, chips).celsius().at("GPU-a"), 59);
  std::ofstream(script.path()) << "gpu 0 uuid=GPU-a temperature=58\n"
                               << "error nvmlDeviceGetTemperature 0 15\n";
  EXPECT_EQ(read(open, chips).why, "reading it: Input/output error");
  std::ofstream(script.path()) << "gpu 0 uuid=GPU-a temperature=57\n";
  EXPECT_EQ(read(open, chips).celsius().at("GPU-a"), 57) << "one bad reading is not the end";
}

TEST_F(Thermal, HangingDriverIsLeftToItselfAndNotAskedAgain) {
  const NvmlScript script("gpu 0 uuid=GPU-a temperature=60\nhang nvmlDeviceGetTemperature\n");
  Thermometer stuck = thermometer(0.05);
  const auto chips = chips_of(made_devices({"GPU-a"}));
  EXPECT_EQ(read(stuck, chips).why, "it did not answer within 0.05 s");
  const std::size_t turns = loop_.turns();
  EXPECT_EQ(read(stuck, chips).why, "it did not answer within 0.05 s");
  EXPECT_LE(loop_.turns(), turns + 2) << "it waited once more";
}

// A sensor that answers when the test says so.
class Slow : public telemetry::Sensor {
 public:
  explicit Slow(std::shared_future<void> go) : go_(std::move(go)) {}
  int read(std::span<double> values) override {
    go_.wait();
    values[0] = 50;
    return 0;
  }

 private:
  std::shared_future<void> go_;
};

class SlowSensor : public Thermal {
 protected:
  std::promise<void> go_;
  bool cancelled_ = false;
  Thermometer slow_{{.wake = &wake_,
                     .clock = &campaign::system_clock(),
                     .cancelled = [this] { return cancelled_; },
                     .open =
                         [go = go_.get_future().share()](const auto&) {
                           telemetry::Found found;
                           found.columns = {{.name = "simulated", .unit = "C"}};
                           found.sensor = std::make_unique<Slow>(go);
                           return found;
                         },
                     .patience_at_first = 30,
                     .patience = 30}};
};

TEST_F(SlowSensor, IsAskedAgainWhereOnlyTheCallerHadNoTime) {
  EXPECT_EQ(read(slow_, {}, 0.01).why, "it did not answer within 0.01 s");
  go_.set_value();
  EXPECT_EQ(read(slow_, {}).celsius().at("simulated"), 50);
}

TEST_F(SlowSensor, IsGivenUpAtOnceWhenTheSessionStops) {
  cancelled_ = true;
  EXPECT_EQ(read(slow_, {}).why, "stopped");
  go_.set_value();
}

}  // namespace
}  // namespace controller::thermal
