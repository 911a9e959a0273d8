#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "controller/cli/compose.hpp"
#include "controller/cli/compose_report.hpp"
#include "controller/cli/parse.hpp"
#include "tests/support/controller/cli_fixture.hpp"

namespace controller {
namespace {

using testing::campaignctl;
using testing::Folder;
using testing::Outcome;

TEST(ParseCompose, SharedOptionsStandBeforeOrBehindTheCommand) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"compose", "-f", "a", "-f", "b", "-p", "n", "--profile", "q",
                                 "config", "web", "db"},
        std::vector<std::string>{"compose", "config", "-f", "a", "-f", "b", "web", "-p", "n",
                                 "--profile", "q", "db"}}) {
    const cli::Parsed parsed = cli::parse(words);
    ASSERT_NE(parsed.command, nullptr);
    EXPECT_EQ(parsed.command->name, "compose config");
    const cli::ComposeArguments& compose = parsed.arguments.compose;
    EXPECT_EQ(compose.files, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(compose.project_name, "n");
    EXPECT_EQ(compose.profiles, std::vector<std::string>{"q"});
    EXPECT_EQ(compose.services, (std::vector<std::string>{"web", "db"}));
  }
}

TEST(ParseCompose, WhatFollowsTheServiceOfExecIsItsCommandAsItIsWritten) {
  using Words = std::vector<std::string>;
  const Words before = {"compose", "-p", "trial", "exec", "-T"};
  const auto exec_of = [&](const Words& behind) {
    Words words = before;
    words.insert(words.end(), behind.begin(), behind.end());
    return cli::parse(words).arguments.compose;
  };
  for (const Words& command :
       {Words{"grep", "--", "-x", "/etc/passwd"}, Words{"--", "ls"}, Words{"echo", "[a,b]", ""},
        Words{"sh", "-c", "[ -e /a ] && [ -e /b ]", "--", "-T", "--json"},
        Words{"exec", "status"}}) {
    Words behind = {"web"};
    behind.insert(behind.end(), command.begin(), command.end());
    const cli::ComposeArguments plain = exec_of(behind);
    EXPECT_EQ(plain.service, "web");
    EXPECT_EQ(plain.command, command);
    behind.insert(behind.begin(), "--");
    const cli::ComposeArguments ended = exec_of(behind);
    EXPECT_EQ(ended.service, "web");
    EXPECT_EQ(ended.command, command);
    EXPECT_TRUE(ended.no_terminal);
  }
  EXPECT_TRUE(exec_of({"web"}).command.empty());
}

TEST(ParseCompose, DashesEndTheOptionsOfTheOtherCommands) {
  const cli::ComposeArguments compose =
      cli::parse({"compose", "up", "--", "web"}).arguments.compose;
  EXPECT_EQ(compose.services, std::vector<std::string>{"web"});
}

TEST(ComposeConfig, PrintsTheCanonicalFormAndNothingElseToStandardOutput) {
  const Folder folder;
  folder.write("compose.yaml", "version: '3'\nservices: {web: {image: x, tty: true}}\n");
  const Outcome yaml = campaignctl(folder.path(), {"compose", "-p", "named", "config"});
  EXPECT_EQ(yaml.code, 0);
  EXPECT_EQ(yaml.out,
            "name: named\nservices:\n  web:\n    image: x\n    networks:\n      default: null\n"
            "    tty: true\nnetworks:\n  default:\n    name: named_default\n");
  EXPECT_NE(yaml.err.find("version: ignored"), std::string::npos) << yaml.err;
  const Outcome json = campaignctl(folder.path(), {"compose", "config", "--format", "json"});
  EXPECT_EQ(nlohmann::json::parse(json.out)["services"]["web"]["image"], "x");
  EXPECT_EQ(campaignctl(folder.path(), {"compose", "config", "--services"}).out, "web\n");
  EXPECT_EQ(campaignctl(folder.path(), {"compose", "config", "--quiet"}).out, "");
}

TEST(ComposePs, WhatIsNotKnownOrDoesNotApplyIsNull) {
  compose::Observed seen;
  seen.containers = {{.id = "1", .status = container::ContainerStatus::running},
                     {.id = "2",
                      .status = container::ContainerStatus::exited,
                      .health = container::Health::unhealthy,
                      .exit_code = 3}};
  const auto all = nlohmann::json::parse(cli::containers_json(seen))["containers"];
  EXPECT_TRUE(all[0]["exit_code"].is_null());
  EXPECT_TRUE(all[0]["health"].is_null());
  EXPECT_EQ(all[1]["exit_code"], 3);
  EXPECT_EQ(all[1]["health"], "unhealthy");
}

TEST(ComposeConfig, EveryErrorIsShownWithItsPlace) {
  const Folder folder;
  folder.write("compose.yaml", "services:\n  web: {imge: x}\n  db: {image: 5}\n");
  const Outcome outcome = campaignctl(folder.path(), {"compose", "config"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err,
            "compose.yaml:2:9: services.web.imge: unknown key; did you mean `image`?\n"
            "compose.yaml:3:15: services.db.image: expected text, not 5; write it in quotes\n");
}

}  // namespace
}  // namespace controller
