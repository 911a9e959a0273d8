#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "controller/gpu/broker.hpp"
#include "tests/support/container/loop.hpp"
#include "tests/support/controller/gpu_support.hpp"

namespace controller {
namespace {

using container::test::Loop;
using gpu::Broker;
using ::testing::ElementsAre;
using testing::Folder;
using ::testing::HasSubstr;
using testing::NvmlScript;
using testing::uuids_of;

constexpr char two[] =
    "gpu 0 uuid=GPU-a total=85899345920 used=500000000 name=A\n"
    "gpu 1 uuid=GPU-b total=85899345920 used=500000000 name=B\n";

// A session with two devices and experiments that want 1, 2 and 0 of them.
struct Site {
  explicit Site(const std::string& script = two) : script(script) {}

  Broker broker(double wait = 0, double settling = 0) {
    const std::vector<gpu::Device> devices = testing::made_devices({"GPU-a", "GPU-b"});
    return Broker(
        {.clock = &campaign::system_clock(),
         .wake = &wake,
         .campaign = "llm",
         .leases = leases.path(),
         .wait = {.seconds = wait},
         .placement = campaign::GpuPlacement::any,
         .demands = {{.candidates = devices, .count = 1}, {.candidates = devices, .count = 2}, {}},
         .discovery = {.nvml = testing::stub_library,
                       .nvidia_smi = "no-nvidia-smi",
                       .sysfs = "/nonexistent"},
         .neighbours = [this]() -> Task<gpu::Neighbours> {
           if (on_look) on_look();
           co_return neighbours;
         },
         .settling = settling});
  }
  Broker::Obtained obtain(Broker& from, std::uint32_t experiment, int worker = 0) {
    return loop.run(from.obtain({.experiment = experiment,
                                 .worker = worker,
                                 .waits = [this](const std::string& why) { waits(why); },
                                 .given_up = [this] { return given_up; }}));
  }
  void waits(const std::string& why) {
    if (!why.empty()) last_wait = why;
    if (!why.empty() && on_wait) on_wait();
  }

  NvmlScript script;
  Folder leases;
  Loop loop;
  Wake wake;
  gpu::Neighbours neighbours;
  bool given_up = false;
  std::string last_wait;
  std::function<void()> on_wait, on_look;
};

TEST(Broker, TwoRunsNeverHaveOneDevice) {
  Site site;
  Broker broker = site.broker();
  auto first = site.obtain(broker, 0, 0);
  auto second = site.obtain(broker, 0, 1);
  EXPECT_THAT(uuids_of(first.devices), ElementsAre("GPU-a"));
  EXPECT_THAT(uuids_of(second.devices), ElementsAre("GPU-b"));
  EXPECT_EQ(first.devices[0].memory->total, 85899345920U);
  site.on_wait = [&] { first.hold.reset(); };  // the first run ends while the third waits
  auto third = site.obtain(broker, 0, 2);
  EXPECT_EQ(site.last_wait, "GPU-a: another run of this campaign has it");
  EXPECT_THAT(uuids_of(third.devices), ElementsAre("GPU-a"));
}

TEST(Broker, WhoCameFirstIsServedFirst) {
  Site site;
  Broker broker = site.broker();
  auto first = site.obtain(broker, 0, 0);
  std::vector<std::string> served;
  std::set<int> waiting;
  const auto one = [&](std::uint32_t experiment, int worker) -> Task<> {
    const auto obtained = co_await broker.obtain({.experiment = experiment,
                                                  .worker = worker,
                                                  .waits =
                                                      [&, worker](const std::string& why) {
                                                        if (!why.empty()) waiting.insert(worker);
                                                      },
                                                  .given_up = [] { return false; }});
    served.push_back(std::to_string(experiment) + ":" + gpu::joined_uuids(obtained.devices));
  };
  // The second wants both, and the free one is not given to the third meanwhile.
  bool both = false, after = false;
  boost::asio::co_spawn(site.loop.io(), one(1, 1), [&](const std::exception_ptr&) { both = true; });
  boost::asio::co_spawn(site.loop.io(), one(0, 2),
                        [&](const std::exception_ptr&) { after = true; });
  const auto story = [&]() -> Task<> {
    while (waiting.size() < 2) co_await container::sleep_for(0.01);
    EXPECT_TRUE(served.empty());
    first.hold.reset();
    while (!both || !after) co_await container::sleep_for(0.01);
  };
  site.loop.run(story());
  EXPECT_THAT(served, ElementsAre("1:GPU-a,GPU-b", "0:GPU-a"));
}

TEST(Broker, WhatAnotherCampaignLeasesIsRefusedByItsName) {
  Site site;
  const auto other =
      gpu::Lease::take({.folder = site.leases.path(), .uuid = "GPU-a", .campaign = "other"},
                       campaign::system_clock());
  Broker broker = site.broker();
  EXPECT_THAT(uuids_of(site.obtain(broker, 0).devices), ElementsAre("GPU-b"));
  const auto refused = site.obtain(broker, 1);
  EXPECT_EQ(refused.hold, nullptr);
  EXPECT_THAT(refused.refused, HasSubstr("GPU-a: leased by pid "));
  EXPECT_THAT(refused.refused, HasSubstr("campaign other"));
}

TEST(Broker, WhatOthersHoldIsWaitedForAsLongAsItIsSaid) {
  Site site;
  auto other =
      gpu::Lease::take({.folder = site.leases.path(), .uuid = "GPU-b", .campaign = "other"},
                       campaign::system_clock());
  Broker broker = site.broker(3600);
  site.on_wait = [&] { other.lease.reset(); };
  EXPECT_THAT(uuids_of(site.obtain(broker, 1).devices), ElementsAre("GPU-a", "GPU-b"));
  EXPECT_THAT(site.last_wait, HasSubstr("campaign other"));
}

TEST(Broker, AContainerOfAnotherCampaignKeepsItsDevice) {
  Site site;
  site.neighbours.taken["GPU-a"] = "container train has it";
  Broker broker = site.broker();
  EXPECT_THAT(uuids_of(site.obtain(broker, 0).devices), ElementsAre("GPU-b"));
  EXPECT_EQ(site.obtain(broker, 1).refused, "GPU-a: container train has it");
}

TEST(Broker, AProcessOrMemoryInUseMeansNotFreeUntilItIsGone) {
  Site site(std::string(two) + "process 0 pid=999999999 memory=1000\n");
  Broker broker = site.broker(0, 3600);
  site.on_wait = [&] { std::ofstream(site.script.path()) << two; };
  EXPECT_THAT(uuids_of(site.obtain(broker, 1).devices), ElementsAre("GPU-a", "GPU-b"));
  EXPECT_EQ(site.last_wait, "GPU-a: pid 999999999 holds it");
  Site residual(
      "gpu 0 uuid=GPU-a total=85899345920 used=50000000000 name=A\n"
      "gpu 1 uuid=GPU-b total=85899345920 used=500000000 name=B\n");
  Broker other = residual.broker();
  EXPECT_THAT(residual.obtain(other, 1).refused,
              HasSubstr("GPU-a: 46.6 GiB of its memory are in use by no process"));
}

TEST(Broker, ADeviceThatIsGoneIsNotGiven) {
  Site site("gpu 0 uuid=GPU-b total=85899345920 used=500000000 name=B\n");
  Broker broker = site.broker();
  EXPECT_EQ(site.obtain(broker, 1).refused, "GPU-a: is not seen any more");
}

TEST(Broker, ProcessesOfOurOwnContainersAndOnesThatOnlyDrawDoNotCount) {
  // The control group of any process names "/" at least.
  Site site(std::string(two) + "process 0 pid=" + std::to_string(getpid()) +
            " memory=60000000000\nprocess 1 pid=999999999 graphics=1 memory=1000\n");
  site.neighbours.ours = {"/"};
  Broker broker = site.broker();
  EXPECT_THAT(uuids_of(site.obtain(broker, 1).devices), ElementsAre("GPU-a", "GPU-b"));
}

TEST(Broker, AnEngineThatFailsIsTheAskersToHear) {
  Site site;
  Broker broker({.clock = &campaign::system_clock(),
                 .wake = &site.wake,
                 .leases = site.leases.path(),
                 .demands = {{.candidates = testing::made_devices({"GPU-a"}), .count = 1}},
                 .neighbours = []() -> Task<gpu::Neighbours> { throw std::runtime_error("500"); }});
  EXPECT_THROW(site.obtain(broker, 0), std::runtime_error);
}

TEST(Broker, AStopWhileItLooksGivesNoDevice) {
  Site site;
  Broker broker = site.broker();
  site.on_look = [&] { site.given_up = true; };
  EXPECT_EQ(site.obtain(broker, 0).hold, nullptr);
}

TEST(Broker, WhatWaitsForARunOfOursLeavesTheMachineAlone) {
  Site site;
  Broker broker = site.broker();
  const auto all = site.obtain(broker, 1);
  int looks = 0;
  site.on_look = [&] { ++looks; };
  site.on_wait = [&] { site.given_up = true; };
  site.obtain(broker, 0, 1);
  EXPECT_EQ(looks, 0);
}

TEST(Broker, AnEndOfTheSessionEndsTheWait) {
  Site site;
  Broker broker = site.broker();
  const auto all = site.obtain(broker, 1);
  site.on_wait = [&] { site.given_up = true; };
  const auto none = site.obtain(broker, 0, 1);
  EXPECT_EQ(none.hold, nullptr);
  EXPECT_EQ(none.refused, "");
}

TEST(Broker, WhatGoesOnUnderANewControllerIsTakenUpAndKeptFromOthers) {
  Site site;
  Broker broker = site.broker();
  auto taken = broker.take_up("GPU-b");
  EXPECT_EQ(taken.problem, "");
  EXPECT_THAT(uuids_of(site.obtain(broker, 0).devices), ElementsAre("GPU-a"));
  Broker late = site.broker();
  const auto lost = late.take_up("GPU-a,GPU-b");
  EXPECT_THAT(lost.problem, HasSubstr("GPU 1 is leased by pid "));
  // What it has of them is its own, and neither is given to another run.
  EXPECT_TRUE(gpu::lease_holder(site.leases.path(), "GPU-a"));
  site.on_wait = [&] { site.given_up = true; };
  EXPECT_EQ(site.obtain(late, 0).hold, nullptr);
}

}  // namespace
}  // namespace controller
