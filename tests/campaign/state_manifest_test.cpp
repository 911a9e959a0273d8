#include "campaign/state/manifest.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <iostream>
#include <system_error>

#include <nlohmann/json.hpp>

#include "campaign/state/files.hpp"
#include "tests/support/campaign/state_support.hpp"

namespace campaign {
namespace {

Manifest example(int cycles = 3) {
  Manifest manifest;
  manifest.uid = "00112233445566778899aabbccddeeff";
  manifest.session = "20261121T004300Z";
  manifest.created_utc = 1763685600.25;
  manifest.campaign_id = "demo";
  manifest.name = "Demo \"one\"";
  manifest.file = "/home/me/demo.yaml";
  manifest.config_hash = std::string(64, 'c');
  manifest.document =
      from_json(R"({"name":"Demo","runner":{"image":"alpine:3","timeout":1.0,"cpus":null}})");
  manifest.state_dir = "/home/me/.state";
  manifest.results_dir = "/home/me/results";
  manifest.images["alpine:3"] = {"alpine:3", "sha256:1", "sha256:2"};
  manifest.services["db"] = from_json(R"({"depends_on":["init"],"service":{"image":"redis:7"}})");
  manifest.environment = {{"host", "node7"}, {"version", "0.1.0"}};
  manifest.plan.seed = 18446744073709551615u;
  manifest.plan.warnings = {"one", "two \xe2\x82\xac"};
  for (const char* name : {"tiny-b4", "tiny-b8"}) {
    Experiment experiment;
    experiment.name = name;
    experiment.backend = "vllm";
    experiment.hash = std::string(64, name[6]);
    experiment.config = from_json(
        R"({"model":{"name":"tiny"},"batch":4,"rate":1.0,"on":"on","list":[1,null,true]})");
    experiment.axes = from_json(R"({"batch":4})");
    experiment.provenance = {{"batch", "4", "axis", "demo.yaml:3:5"},
                             {"rate", "1.0", "default", ""}};
    manifest.plan.experiments.push_back(experiment);
  }
  for (int cycle = 1; cycle <= cycles; ++cycle) {
    manifest.plan.runs.push_back({1, cycle, 0});
    manifest.plan.runs.push_back({0, cycle, cycle == 2 ? 1 : 0});
  }
  return manifest;
}

std::string why_not(const std::string& text) {
  try {
    read_manifest(text);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(Manifest, ComesBackAsItWasWritten) {
  const std::string text = write_manifest(example());
  const Manifest back = read_manifest(text);
  EXPECT_EQ(write_manifest(back), text);
  EXPECT_EQ(back.uid, example().uid);
  EXPECT_EQ(back.created_utc, 1763685600.25);
  EXPECT_EQ(back.plan.seed, 18446744073709551615u);
  EXPECT_EQ(back.document, example().document);
  EXPECT_EQ(back.plan.experiments[1].config, example().plan.experiments[1].config);
  EXPECT_EQ(back.plan.experiments[0].provenance[0].source_detail, "demo.yaml:3:5");
  EXPECT_EQ(back.plan.runs[3].block, 1);
  EXPECT_EQ(back.images.at("alpine:3").identity, "sha256:2");
  EXPECT_EQ(back.services, example().services);
  EXPECT_EQ(back.environment.at("host"), "node7");
  EXPECT_EQ(back.plan.warnings, example().plan.warnings);
}

TEST(Manifest, IsJsonWithARunOnEachLine) {
  const std::string text = write_manifest(example());
  const auto parsed = nlohmann::json::parse(text);
  EXPECT_EQ(parsed["schema"], 1);
  EXPECT_EQ(parsed["runs"].size(), 6u);
  EXPECT_NE(text.find("\n{\"run\":\"tiny-b8.c01\",\"experiment\":1,\"cycle\":1},\n"),
            std::string::npos);
}

TEST(Manifest, IsReadHoweverItIsLaidOut) {
  const Manifest back =
      read_manifest(nlohmann::ordered_json::parse(write_manifest(example())).dump(2));
  EXPECT_EQ(write_manifest(back), write_manifest(example()));
}

TEST(Manifest, CutAtAnyByteIsAClearError) {
  const std::string text = write_manifest(example());
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    const std::string reason = why_not(text.substr(0, size));
    ASSERT_TRUE(reason.starts_with("not a whole manifest: byte ")) << size << ": " << reason;
  }
}

TEST(Manifest, WrongContentIsNamed) {
  auto changed = [](const auto& change) {
    auto parsed = nlohmann::ordered_json::parse(write_manifest(example()));
    change(parsed);
    return why_not(parsed.dump());
  };
  EXPECT_NE(changed([](auto& m) { m["schema"] = 2; }).find("schema 2"), std::string::npos);
  EXPECT_NE(changed([](auto& m) { m.erase("uid"); }).find("\"uid\" is missing"), std::string::npos);
  EXPECT_NE(changed([](auto& m) { m.erase("runs"); }).find("\"runs\" is missing"),
            std::string::npos);
  EXPECT_NE(
      changed([](auto& m) { m["runs"][2]["experiment"] = 7; }).find("run 3 names no experiment"),
      std::string::npos);
  EXPECT_NE(changed([](auto& m) { m["runs"][0]["cycle"] = 0; }).find("run 1"), std::string::npos);
  EXPECT_NE(changed([](auto& m) {
              m["experiments"][1].erase("config");
            }).find("tiny-b8 has no \"config\""),
            std::string::npos);
  EXPECT_NE(why_not("[]"), "");
  EXPECT_NE(why_not("null"), "");
}

TEST(Manifest, HighestWholeRevisionCounts) {
  const testing::TemporaryFolder folder;
  const SessionFolder session{folder.path() / "demo" / "s"};
  store_manifest(session, example(3), 0);
  store_manifest(session, example(4), 1);
  store_manifest(session, example(5), 12);
  EXPECT_EQ(latest_manifest(session, "campaign_manifest.json").plan.runs.size(), 10u);
  std::ofstream(session.folder / "campaign_manifest.12.json", std::ios::trunc) << "{\"schema\":1";
  EXPECT_EQ(latest_manifest(session, "campaign_manifest.json").plan.runs.size(), 8u);
  std::filesystem::remove(session.folder / "campaign_manifest.1.json");
  EXPECT_EQ(latest_manifest(session, "campaign_manifest.json").plan.runs.size(), 6u);
}

TEST(Manifest, RevisionIsMadeOnlyOnce) {
  const testing::TemporaryFolder folder;
  const SessionFolder session{folder.path() / "demo" / "s"};
  store_manifest(session, example(3), 1);
  try {
    store_manifest(session, example(4), 1);
    FAIL() << "the revision was replaced";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::file_exists);
  }
  EXPECT_EQ(latest_manifest(session, "campaign_manifest.json").plan.runs.size(), 6u);
}

TEST(Manifest, NoWholeOneIsAnErrorThatNamesEachFile) {
  const testing::TemporaryFolder folder;
  const SessionFolder session{folder.path()};
  std::ofstream(folder.path() / "campaign_manifest.3.json") << "{";
  try {
    latest_manifest(session, "campaign_manifest.json");
    FAIL();
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("campaign_manifest.3.json: not a whole manifest"), std::string::npos)
        << text;
    EXPECT_NE(text.find("campaign_manifest.json"), std::string::npos) << text;
  }
}

TEST(Manifest, UidsAreRandomHexadecimal) {
  const std::string uid = draw_uid();
  EXPECT_EQ(uid.size(), 32u);
  EXPECT_EQ(uid.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(uid, draw_uid());
}

TEST(Manifest, OfAHundredThousandRunsIsQuick) {
  const Manifest manifest = example(50'000);
  const auto begin = std::clock();
  const std::string text = write_manifest(manifest);
  const auto written = std::clock();
  const Manifest back = read_manifest(text);
  const double write_time = static_cast<double>(written - begin) / CLOCKS_PER_SEC;
  const double read_time = static_cast<double>(std::clock() - written) / CLOCKS_PER_SEC;
  EXPECT_EQ(back.plan.runs.size(), 100'000u);
  std::cout << text.size() << " bytes; CPU time: write " << write_time << " s, read " << read_time
            << " s\n";
  EXPECT_LT(write_time, 5);
  EXPECT_LT(read_time, 5);
}

}  // namespace
}  // namespace campaign
