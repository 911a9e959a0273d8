// Projects on the engine of this machine.
#include "compose/project.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

#include "compose/labels.hpp"
#include "tests/support/compose/plan_support.hpp"
#include "tests/support/container/real_engine.hpp"

namespace compose::test {
namespace {

using container::ContainerStatus;
using container::EngineError;
using ::testing::HasSubstr;

constexpr char three_services[] = R"(
services:
  db:
    image: campaignctl/probe:1
    command: [sh, -c, "echo opening; sleep 0.3; touch /tmp/ready; exec sleep 1000"]
    stop_signal: SIGKILL
    volumes: ["data:/data"]
    healthcheck: {test: [CMD, test, -e, /tmp/ready], interval: 200ms, timeout: 5s, retries: 50}
  init:
    image: campaignctl/probe:1
    command: [sh, -c, "echo made > /data/made"]
    volumes: ["data:/data"]
    depends_on: {db: {condition: service_healthy}}
  web:
    image: campaignctl/probe:1
    command: [sh, -c, "cat /data/made; exec sleep 1000"]
    stop_signal: SIGKILL
    environment: {LEVEL: "1"}
    volumes: ["data:/data"]
    depends_on:
      init: {condition: service_completed_successfully}
      db: {condition: service_healthy}
volumes: {data: {}}
)";

class RealEngineCompose : public container::test::RealEngine {
 protected:
  void SetUp() override {
    RealEngine::SetUp();
    name_ = "cctl-test-" + std::to_string(::getpid());
  }
  void TearDown() override {
    for (const auto& name : names_) down(name, {.remove_volumes = true, .owner = owner_});
    RealEngine::TearDown();
  }

  UpResult up(const std::string& yaml, UpChoices choices = {}, const std::string& suffix = "") {
    project_ = project_of(yaml, name_ + suffix);
    names_.push_back(project_.name);
    choices.owner = owner_;
    UpRequest request{.project = &project_, .choices = choices};
    if (!owner_.value.empty()) request.desired.labels[owner_.label] = owner_.value;
    return loop().run(project_up(engine(), request), 120);
  }
  DownResult down(const std::string& project, const DownChoices& choices) {
    const DownRequest request{.project = project, .choices = choices};
    return loop().run(project_down(engine(), request), 120);
  }
  Observed seen(const std::string& project) { return loop().run(observe(engine(), project)); }
  std::size_t things(const std::string& project) {
    const auto all = seen(project);
    return all.containers.size() + all.networks.size() + all.volumes.size();
  }
  // What a container that has just been started says, as soon as the engine has stored it.
  std::string first_output(const std::string& name) {
    std::string output;
    for (int tries = 0; output.empty() && tries < 100; ++tries) {
      output = loop().run(engine().logs(name, 10));
      if (output.empty()) loop().run(container::sleep_for(0.1));
    }
    return output;
  }
  container::ContainerState state(const std::string& service) {
    return loop().run(engine().inspect(project_.name + "-" + service + "-1"));
  }

  std::string name_;
  Strings names_;
  Owner owner_;
  Project project_;
};

TEST_F(RealEngineCompose, ThreeServicesComeUpInOrderAndGoInReverse) {
  const auto result = up(three_services, {.wait_ready = true});
  ASSERT_TRUE(result.execution.ok) << result.execution.failure << result.execution.logs;
  EXPECT_EQ(state("db").health.status, container::Health::healthy);
  EXPECT_EQ(state("init").status, ContainerStatus::exited);
  EXPECT_EQ(state("init").exit_code, 0);
  EXPECT_EQ(first_output(project_.name + "-web-1"), "made\n");
  EXPECT_LT(state("db").started_at, state("init").started_at);
  EXPECT_LT(state("init").finished_at, state("web").started_at);
  const auto gone = down(project_.name, {.remove_volumes = true});
  EXPECT_TRUE(gone.execution.ok) << gone.execution.failure;
  EXPECT_EQ(things(project_.name), 0u);
}

TEST_F(RealEngineCompose, ASecondUpDoesNothingAndAChangeOnlyWhatItConcerns) {
  ASSERT_TRUE(up(three_services, {.wait_ready = true}).execution.ok);
  const auto init = state("init").started_at, db = state("db").id, web = state("web").id;
  const auto again = up(three_services);
  EXPECT_EQ(text(again.plan), "");
  std::string changed = three_services;
  changed.replace(changed.find("LEVEL: \"1\""), 10, "LEVEL: \"2\"");
  ASSERT_TRUE(up(changed).execution.ok);
  EXPECT_EQ(state("db").id, db);
  EXPECT_EQ(state("init").started_at, init);
  EXPECT_NE(state("web").id, web);
}

TEST_F(RealEngineCompose, AFailureIsToldWithLastWordsAndUndone) {
  const auto result = up(R"(
services:
  db:
    image: campaignctl/probe:1
    command: [sh, -c, "echo cannot open the data; exit 3"]
    healthcheck: {test: [CMD, "false"], interval: 1s}
  web:
    image: campaignctl/probe:1
    depends_on: {db: {condition: service_healthy}}
)");
  EXPECT_FALSE(result.execution.ok);
  EXPECT_THAT(result.execution.failure, HasSubstr("it has ended with 3"));
  EXPECT_EQ(result.execution.culprit, project_.name + "-db-1");
  EXPECT_THAT(result.execution.logs, HasSubstr("cannot open the data"));
  EXPECT_EQ(things(project_.name), 0u);
}

TEST_F(RealEngineCompose, AnUnhealthyDependencyFailsAtOnceWithItsProbesWords) {
  const auto result = up(R"(
services:
  db:
    image: campaignctl/probe:1
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    healthcheck: {test: [CMD-SHELL, "echo not yet; exit 1"], interval: 100ms, retries: 2}
  web:
    image: campaignctl/probe:1
    depends_on: {db: {condition: service_healthy}}
)");
  EXPECT_FALSE(result.execution.ok);
  EXPECT_THAT(result.execution.failure, HasSubstr("its health check has failed 2 times"));
  EXPECT_THAT(result.execution.logs, HasSubstr("not yet"));
}

TEST_F(RealEngineCompose, AConditionHasADeadlineAndMayBeOptional) {
  const std::string never = R"(
services:
  slow:
    image: campaignctl/probe:1
    command: [sleep, "1000"]
    stop_signal: SIGKILL
  web:
    image: campaignctl/probe:1
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    depends_on: {slow: {condition: service_completed_successfully, required: REQUIRED}}
)";
  const auto with = [&](const std::string& required) {
    std::string yaml = never;
    yaml.replace(yaml.find("REQUIRED"), 8, required);
    return up(yaml, {.condition_deadline = 0.3}).execution;
  };
  const auto hard = with("true");
  EXPECT_FALSE(hard.ok);
  EXPECT_THAT(hard.failure, HasSubstr("not within 0.3 s"));
  EXPECT_EQ(things(project_.name), 0u);
  const auto soft = with("false");
  EXPECT_TRUE(soft.ok) << soft.failure;
  ASSERT_EQ(soft.warnings.size(), 1u);
  EXPECT_EQ(state("web").status, ContainerStatus::running);
}

TEST_F(RealEngineCompose, AStopFromOutsideUndoesWhatWasMade) {
  project_ = project_of(three_services, name_);
  names_.push_back(name_);
  bool stop = false;
  UpRequest request{.project = &project_};
  request.executor.done = [&](const Step& step) { stop = stop || step.subject == name_ + "-db-1"; };
  request.executor.give_up = [&] { return stop; };
  const auto result = loop().run(project_up(engine(), request));
  EXPECT_FALSE(result.execution.ok);
  EXPECT_TRUE(result.execution.given_up);
  EXPECT_EQ(things(name_), 0u);
}

TEST_F(RealEngineCompose, WhatIsNotOursIsNeitherTakenNorTouched) {
  container::ContainerSpec foreign = shell("sleep 1000");
  foreign.name = name_ + "-a-1";
  const auto id = create(foreign);
  const std::string yaml = "services: {a: {image: 'campaignctl/probe:1'}}";
  EXPECT_THROW(up(yaml), ForeignObject);
  EXPECT_EQ(things(name_), 0u);
  EXPECT_EQ(loop().run(engine().inspect(id)).status, ContainerStatus::created);
}

TEST_F(RealEngineCompose, AnotherOwnersProjectIsLeft) {
  const std::string yaml =
      "services: {a: {image: 'campaignctl/probe:1', command: [sleep, '1000'], "
      "stop_signal: SIGKILL}}";
  owner_.value = "u1";
  ASSERT_TRUE(up(yaml).execution.ok);
  owner_.value = "u2";
  EXPECT_THROW(up(yaml), ForeignObject);
  const auto left = down(name_, {.remove_volumes = true, .owner = owner_});
  EXPECT_EQ(left.plan.left.size(), 2u);
  EXPECT_EQ(things(name_), 2u);
  owner_.value = "u1";
}

TEST_F(RealEngineCompose, TwoProjectsDoNotSeeEachOther) {
  ASSERT_TRUE(up(three_services, {}, "-x").execution.ok);
  const auto before = seen(name_ + "-x");
  ASSERT_TRUE(up(three_services, {}, "-y").execution.ok);
  down(name_ + "-y", {.remove_volumes = true});
  EXPECT_EQ(things(name_ + "-y"), 0u);
  const auto after = seen(name_ + "-x");
  ASSERT_EQ(after.containers.size(), before.containers.size());
  for (std::size_t i = 0; i < before.containers.size(); ++i)
    EXPECT_EQ(after.containers[i].id, before.containers[i].id);
  EXPECT_EQ(after.volumes.size(), 1u);
}

TEST_F(RealEngineCompose, AliasesConfigsAndSharedNamespacesWork) {
  const auto result = up(R"(
services:
  server:
    image: campaignctl/probe:1
    command: [httpd, -f, -p, "8000", -h, /srv]
    stop_signal: SIGKILL
    networks: {front: {}, back: {aliases: [store]}}
    configs: [{source: word, target: /srv/index.html}]
    healthcheck: {test: [CMD, wget, -qO, /dev/null, "http://127.0.0.1:8000/"], interval: 200ms}
  beside:
    image: campaignctl/probe:1
    command: [wget, -qO-, "http://127.0.0.1:8000/"]
    network_mode: service:server
    depends_on: {server: {condition: service_healthy}}
  client:
    image: campaignctl/probe:1
    command: [wget, -qO-, "http://store:8000/"]
    networks: [back]
    depends_on: {beside: {condition: service_completed_successfully}}
  last:
    image: campaignctl/probe:1
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    depends_on: {client: {condition: service_completed_successfully}}
networks: {front: {}, back: {}}
configs: {word: {content: said}}
)");
  ASSERT_TRUE(result.execution.ok) << result.execution.failure << result.execution.logs;
  EXPECT_EQ(loop().run(engine().logs(project_.name + "-beside-1", 10)), "said");
  EXPECT_EQ(loop().run(engine().logs(project_.name + "-client-1", 10)), "said");
}

std::string printed(const std::string& command) {
  std::string text;
  FILE* pipe = popen((command + " 2>&1").c_str(), "re");
  char piece[512];
  while (const std::size_t n = fread(piece, 1, sizeof piece, pipe)) text.append(piece, n);
  text += "[" + std::to_string(WEXITSTATUS(pclose(pipe))) + "]";
  return text;
}

// COMPOSE_ORACLE, a plugin of docker, docker-compose on the PATH, or the package of a newer Debian
// that tests/support/compose_oracle.sh unpacks; empty: none of them.
std::string docker_compose() {
  const char* named = std::getenv("COMPOSE_ORACLE");
  Strings commands = {named ? named : "", "docker compose", "docker-compose"};
  const std::string root = TEST_DATA_DIR "/../..";
  const std::string unpacked =
      printed("bash -c 'set -euo pipefail; ROOT=" + root +
              "; . $ROOT/tests/support/compose_oracle.sh; compose_oracle' 2>/dev/null");
  if (unpacked.starts_with('/')) commands.push_back(unpacked.substr(0, unpacked.find('\n')));
  for (const std::string& command : commands) {
    if (command.empty()) continue;
    const std::string version = printed(command + " version --short");
    if (version.starts_with("2.") || version.starts_with("v2.") || version.starts_with("5."))
      return command;
  }
  return "";
}

TEST_F(RealEngineCompose, TheRealDockerComposeWorksOnIt) {
  const std::string compose = docker_compose();
  if (compose.empty())
    GTEST_SKIP() << "no docker compose 2.x: neither COMPOSE_ORACLE, nor a plugin of docker, nor "
                    "docker-compose on the PATH, nor Debian's package of it";
  ASSERT_TRUE(up(three_services, {.wait_ready = true}).execution.ok);
  const std::string on = compose + " -p " + project_.name + " ";
  const auto ps = printed(on + "ps -a");
  EXPECT_THAT(ps, HasSubstr(project_.name + "-web-1"));
  EXPECT_THAT(ps, HasSubstr("healthy"));
  EXPECT_THAT(printed(on + "logs init web"), HasSubstr("made"));
  EXPECT_THAT(printed(on + "exec -T web sh -c 'echo level $LEVEL; exit 7' </dev/null"),
              HasSubstr("level 1\n"));
  EXPECT_THAT(printed(on + "exec -T web sh -c 'exit 7' </dev/null"), ::testing::EndsWith("[7]"));
  EXPECT_THAT(printed(on + "down -v -t 0"), ::testing::EndsWith("[0]"));
  EXPECT_EQ(things(project_.name), 0u);
}

}  // namespace
}  // namespace compose::test
