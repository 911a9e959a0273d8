#include "campaign/results/environment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "campaign/results/results.hpp"

namespace campaign {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

FactGroup group(const std::string& name, std::vector<Fact> facts) {
  return {.name = name, .facts = std::move(facts)};
}
Fact text(const std::string& name, const std::string& value) { return Fact::of(name, value); }

TEST(Environment, ChangesAreToldByGroupAndByGpu) {
  const EnvironmentRecord before{
      .groups = {group("cpu", {text("governor", "powersave"), Fact::of("boost", true)})},
      .gpus = {group("GPU-a", {text("index", "0"), Fact::of("power_limit_w", 700.0)}),
               group("GPU-b", {text("index", "1"), Fact::of("power_limit_w", 700.0)})}};
  const EnvironmentRecord now{
      .groups = {group("cpu", {text("governor", "performance"), Fact::of("boost", true)})},
      .gpus = {group("GPU-b", {text("index", "1"), Fact::of("power_limit_w", 350.5)})}};
  EXPECT_THAT(
      environment_changes(before, now),
      ElementsAre("cpu governor: powersave -> performance", "GPU 1 power_limit_w: 700 -> 350.5"));
  EXPECT_THAT(environment_changes(now, now), IsEmpty());
}

TEST(Environment, WhatOneOfBothDoesNotKnowIsNoChange) {
  const EnvironmentRecord before{
      .groups = {group("cpu", {Fact::unknown("governor", "no"), text("smt", "on")})}, .gpus = {}};
  const EnvironmentRecord now{
      .groups = {group("cpu", {text("governor", "performance"), Fact::unknown("smt", "gone"),
                               text("new", "x")}),
                 group("engine", {text("version", "20.10")})},
      .gpus = {group("GPU-a", {Fact::of("ecc", true)})}};
  EXPECT_THAT(environment_changes(before, now), IsEmpty());
}

TEST(Environment, ImagesAndJobsAreOtherOnesByDesign) {
  const auto with = [](const std::string& value) {
    return EnvironmentRecord{
        .groups = {group("image", {text("id", value)}), group("job", {text("id", value)})},
        .gpus = {}};
  };
  EXPECT_THAT(environment_changes(with("1"), with("2")), IsEmpty());
}

TEST(Environment, AnUnavailableFactIsWrittenWithItsReasonAndNeverAsZero) {
  const EnvironmentRecord environment{
      .groups = {group("cpu", {Fact::unknown("min_mhz", "no cpufreq")})}, .gpus = {}};
  EXPECT_EQ(environment_json(environment).dump(),
            R"({"cpu":{"min_mhz":{"unavailable":"no cpufreq"}},"gpus":[]})");
  EXPECT_EQ(to_text(environment.groups[0].facts[0]), "unavailable (no cpufreq)");
}

TEST(Environment, ReadingLeavesOutWhatItDoesNotKnow) {
  const EnvironmentRecord read = environment_from(nlohmann::ordered_json::parse(
      R"({"host":{"name":"h","list":[1],"odd":{"a":1},"none":null},"scalar":7,)"
      R"("gpus":[7,{"uuid":"GPU-a","ecc":false}],"new":{"n":1,"x":0.5}})"));
  ASSERT_EQ(read.groups.size(), 2U);
  EXPECT_EQ(read.find("host")->facts, std::vector<Fact>{text("name", "h")});
  EXPECT_EQ(read.find("new")->find("x")->value, Fact::Value(0.5));
  ASSERT_EQ(read.gpus.size(), 1U);
  EXPECT_EQ(read.gpus[0].name, "GPU-a");
  EXPECT_EQ(to_text(*read.gpus[0].find("ecc")), "no");
}

TEST(RunRecord, OfAnEarlyVersionHasItsProcessorAndKernelInTheEnvironment) {
  const std::string start = R"({"schema_version":1,"run":"a","attempt":1,"state":"completed")";
  const RunRecord record =
      read_run_record(start + R"(,"node_cpu":"EPYC","kernel":"Linux 6.1","host":"h"})");
  ASSERT_TRUE(record.environment);
  EXPECT_EQ(to_text(*record.environment->find("cpu")->find("model")), "EPYC");
  EXPECT_EQ(to_text(*record.environment->find("host")->find("kernel")), "Linux 6.1");
  EXPECT_EQ(record.host, "h");
  EXPECT_FALSE(read_run_record(start + "}").environment);
  EXPECT_THROW(read_run_record(start + R"(,"environment":[]})"), std::runtime_error);
}

}  // namespace
}  // namespace campaign
