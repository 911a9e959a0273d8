#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "campaign/config/loader.hpp"

namespace campaign {
namespace {

class Folder {
 public:
  Folder() {
    std::string path = testing::TempDir() + "config-XXXXXX";
    path_ = mkdtemp(path.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
    std::ofstream(*this / name, std::ios::binary) << text;
    return *this / name;
  }

 private:
  std::string path_;
};

Environment fixed_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    if (name == "N") return "7";
    if (name == "EMPTY") return "";
    if (name == "TEXT") return "some: text";
    return std::nullopt;
  };
}

Campaign load(const Folder& folder, const std::string& text, std::vector<std::string> sets = {}) {
  return load_campaign({.path = folder.write("campaign.yaml", text),
                        .sets = std::move(sets),
                        .environment = fixed_environment(),
                        .document = {}});
}

std::string error_of(const Folder& folder, const std::string& text,
                     std::vector<std::string> sets = {}) {
  try {
    load(folder, text, std::move(sets));
  } catch (const ConfigError& e) {
    std::string what = e.what();
    for (auto at = what.find(folder / ""); at != what.npos; at = what.find(folder / "")) {
      what.erase(at, (folder / "").size());
    }
    return what;
  }
  return "no error";
}

const std::string small = R"(name: Zstd-levels
axes: {level: [1, 9, 19]}
runner: {type: local, command: [zstd, -qf, "-{p.level}", data.bin, -o, /dev/null]}
execution: {cycles: 20}
)";

TEST(Loader, SmallCampaignIsDecodedWithItsDefaults) {
  const Folder folder;
  const Campaign campaign = load(folder, small);
  EXPECT_EQ(campaign.name, "Zstd-levels");
  EXPECT_EQ(campaign.id, "zstd-levels");
  EXPECT_EQ(campaign.file, folder / "campaign.yaml");
  EXPECT_EQ(campaign.axes, Value::map({{"level", Value::list({Value::integer(1), Value::integer(9),
                                                              Value::integer(19)})}}));
  ASSERT_TRUE(campaign.runner);
  EXPECT_EQ(campaign.runner->type, RunnerType::local);
  EXPECT_EQ(campaign.runner->command,
            (Argv{"zstd", "-qf", "-{p.level}", "data.bin", "-o", "/dev/null"}));
  EXPECT_EQ(campaign.execution.cycles, 20);
  EXPECT_EQ(campaign.io.results_dir, folder / "results");
  EXPECT_EQ(campaign.io.state_dir, folder / ".state");
  EXPECT_EQ(campaign.io.min_free, std::int64_t{1} << 30);
}

TEST(Loader, DocumentDecodesToTheSameCampaign) {
  const Folder folder;
  folder.write("a.yaml", "x: 1\n");
  folder.write("b.yaml", "x: 2\n");
  folder.write("vars.env", "A=1\n");
  const Campaign campaign = load(folder, small + R"(configs: ["*.yaml"]
experiments: [{name: one, config: ./a.yaml}]
runners:
  b: {image: "x:${N}", volumes: ["./d:/d:ro", "named:/n"], env_file: vars.env, env: {A: "${HOME}"}}
vars: {v: 1.50}
set:
  size: "{vars.v}"
  count: "${N}"
  number: ${N}
)");
  const Campaign again = decode_campaign(campaign.document, campaign.file);
  EXPECT_EQ(again, campaign);
  const Campaign stored = decode_campaign(from_json(to_json(campaign.document)), campaign.file);
  EXPECT_EQ(stored, campaign);
  EXPECT_EQ(to_json(stored.document), to_json(campaign.document));
  EXPECT_EQ(campaign.configs, (std::vector{folder / "a.yaml", folder / "b.yaml"}));
  EXPECT_EQ(campaign.set.find("count")->kind(), Value::Kind::string);
  EXPECT_EQ(campaign.set.find("number")->kind(), Value::Kind::integer);
}

TEST(Loader, UnknownKeyNamesItsPlaceAndTheNearestOne) {
  const Folder folder;
  EXPECT_EQ(error_of(folder, small + "hook: {}\ncycles: 3\n"),
            "campaign.yaml:5:1: hook: unknown key; did you mean `hooks`?\n"
            "campaign.yaml:6:1: cycles: unknown key; did you mean `execution.cycles`?");
}

}  // namespace
}  // namespace campaign
