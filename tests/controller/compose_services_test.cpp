#include "controller/compose_services.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include "campaign/config/loader.hpp"
#include "controller/errors.hpp"
#include "tests/compose/compose_folder.hpp"

namespace controller::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char file[] = R"(services:
  work:
    image: w:1
    profiles: [measure]
    depends_on: [db]
    environment: {MODE: fast, MAX_TOKENS: 512, API_TOKEN: "${CCTL_TEST_TOKEN:-}", HEADER: "auth ${CCTL_TEST_TOKEN:-}"}
    volumes: ["./data:/data"]
  db: {image: "db:1", command: [serve]}
  other: {image: "o:1"}
)";

class ComposeServices : public ::testing::Test {
 protected:
  ComposeServices() {
    setenv("CCTL_TEST_TOKEN", "very-secret", 1);
    folder_.write("compose.yaml", file);
  }
  ~ComposeServices() override { unsetenv("CCTL_TEST_TOKEN"); }

  campaign::Campaign load(const std::string& container = "") const {
    folder_.write("campaign.yaml",
                  "name: T.1\naxes: {a: [1]}\nrunner: {service: work}\n"
                  "container: {compose_file: compose.yaml" +
                      container + "}\n");
    campaign::Campaign campaign =
        campaign::load_campaign({.path = folder_ / "campaign.yaml",
                                 .sets = {},
                                 .environment = campaign::process_environment(),
                                 .document = {}});
    take_services(campaign);
    return campaign;
  }
  static campaign::Manifest manifest_of(const campaign::Campaign& campaign) {
    return {.uid = "abcdef0123",
            .session = "s",
            .file = campaign.file,
            .services = campaign.services,
            .plan = campaign::make_plan(campaign)};
  }
  std::string refusal(const campaign::Manifest& before) const {
    try {
      session_project(load(), before);
    } catch (const CommandError& error) {
      return error.what();
    }
    return "";
  }

  compose::ComposeFolder folder_;
};

TEST_F(ComposeServices, AreTakenFromEveryProfileWithWhatTheyDependOn) {
  const campaign::Campaign campaign = load();
  ASSERT_EQ(campaign.services.size(), 3u);
  EXPECT_EQ(campaign::canonical_json(*campaign.services.at("work").find("depends_on")),
            R"(["db"])");
  EXPECT_EQ(campaign.services.at("work").at_path("service.image")->as_string(), "w:1");
}

TEST_F(ComposeServices, HaveNoSecretsAndPathsThatMove) {
  const std::string text = campaign::canonical_json(load().services.at("work"));
  EXPECT_THAT(text, Not(HasSubstr("very-secret")));
  EXPECT_THAT(text, HasSubstr(R"("API_TOKEN":"#)"));
  EXPECT_THAT(text, HasSubstr(R"("HEADER":"auth #)"));
  EXPECT_THAT(text, HasSubstr(R"("MAX_TOKENS":"512")"));
  EXPECT_THAT(text, HasSubstr(R"("MODE":"fast")"));
  EXPECT_THAT(text, HasSubstr(R"("source":"./data")"));
}

TEST_F(ComposeServices, HaveNoSecretsOfAnEnvironmentFileEither) {
  unsetenv("CCTL_TEST_TOKEN");
  folder_.write(".env", "CCTL_TEST_TOKEN=from-the-file\n");
  const std::string text = campaign::canonical_json(load().services.at("work"));
  EXPECT_THAT(text, Not(HasSubstr("from-the-file")));
  folder_.write(".env", "CCTL_TEST_TOKEN=another-one\n");
  EXPECT_NE(campaign::canonical_json(load().services.at("work")), text);
}

TEST_F(ComposeServices, HaveWhatTheirConfigsHold) {
  const std::string configured =
      "services: {work: {image: w, configs: [app]}}\nconfigs: {app: {content: batch=8}}\n";
  folder_.write("compose.yaml", configured);
  const campaign::Value before = load().services.at("work");
  folder_.write("compose.yaml", configured.substr(0, configured.size() - 3) + "9}}\n");
  EXPECT_NE(load().services.at("work"), before);
}

TEST_F(ComposeServices, ASessionsProjectHasThoseInUseAndWhatTheyDependOn) {
  const campaign::Campaign campaign = load();
  const compose::Project project = session_project(campaign, manifest_of(campaign));
  EXPECT_EQ(project.name, "t-1-abcd");
  std::vector<std::string> names;
  for (const auto& [name, service] : project.services) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("db", "work"));
  EXPECT_EQ(project.services.at("work").environment.at("API_TOKEN"), "very-secret");
  EXPECT_EQ(project_name(load(", project_name: mine"), "abcdef"), "mine");
}

TEST_F(ComposeServices, AChangeOfOneInUseIsRefusedWithItsKey) {
  const campaign::Manifest before = manifest_of(load());
  std::string text = file;
  text.replace(text.find("o:1"), 3, "o:2");
  folder_.write("compose.yaml", text);
  EXPECT_EQ(refusal(before), "");
  text.replace(text.find("db:1"), 4, "db:2");
  folder_.write("compose.yaml", text);
  EXPECT_THAT(refusal(before), HasSubstr("service db: service.image: db:1 -> db:2"));
}

TEST_F(ComposeServices, NothingIsReadWhereNoFileIsNamed) {
  campaign::Campaign campaign;
  take_services(campaign);
  EXPECT_TRUE(campaign.services.empty());
}

}  // namespace
}  // namespace controller::test
