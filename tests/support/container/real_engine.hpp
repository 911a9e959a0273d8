// Tests against the engine of this machine.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "container/docker_engine.hpp"
#include "tests/support/container/loop.hpp"

namespace container::test {

inline constexpr char probe_image[] = "campaignctl/probe:1";

// The engine that find_endpoint names. Without one the test is skipped with the reason, or fails if
// the environment says CAMPAIGNCTL_ENGINE=required. Makes the probe image (a shell and small tools)
// where it is missing, labels what it creates, and removes that at the end.
class RealEngine : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  Engine& engine() { return *engine_; }
  Loop& loop() { return loop_; }
  // A container of the probe image that runs this shell script.
  ContainerSpec shell(const std::string& script) const;
  std::string create(const ContainerSpec& spec);
  // Waits for the end of a container that runs, by the engine's wait.
  WaitResult ended(const std::string& id);

  std::string unique_;  // this test's name for things, also the value of its label
  Endpoint endpoint_;

 private:
  Loop loop_;
  std::unique_ptr<Engine> engine_;
};

// All of an output: what came on each stream.
struct Collected {
  std::string out, err, system;
};
Task<Collected> collect(OutputStream& stream);

}  // namespace container::test
