// Plans, compared as they are printed.
#include "compose/reconcile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compose/graph.hpp"
#include "compose/labels.hpp"
#include "tests/support/compose/plan_support.hpp"

namespace compose::test {
namespace {

using container::ContainerStatus;
using ::testing::HasSubstr;

constexpr char three_services[] = R"(
services:
  db:
    image: i
    healthcheck: {test: [CMD, "true"]}
    volumes: ["data:/data"]
  init:
    image: i
    depends_on: {db: {condition: service_healthy}}
  web:
    image: i
    depends_on:
      init: {condition: service_completed_successfully}
      db: {condition: service_started}
volumes: {data: {}}
)";

class Reconcile : public ::testing::Test {
 protected:
  void load(const std::string& yaml) {
    project_ = project_of(yaml);
    wanted_ = desired(project_, {.labels = whose_});
    seen_ = running(wanted_);
  }
  std::string up() { return text(plan_up(project_, wanted_, seen_, choices_)); }
  std::string down(const DownChoices& choices) { return text(plan_down(seen_, choices)); }
  std::string refusal() {
    try {
      up();
    } catch (const ForeignObject& error) {
      return error.what();
    }
    return "";
  }

  StringMap whose_;
  Project project_;
  Desired wanted_;
  Observed seen_;
  UpChoices choices_;
};

TEST_F(Reconcile, FromNothingEverythingIsMadeInOrderOfDependency) {
  load(three_services);
  seen_ = {};
  EXPECT_EQ(up(),
            "1 create network p_default: it is not there\n"
            "2 create volume p_data: it is not there\n"
            "3 create container p-db-1: it is not there [after 1,2]\n"
            "4 start p-db-1: it is not there [after 3]\n"
            "5 create container p-init-1: it is not there [after 1]\n"
            "6 wait until p-db-1 is healthy: init depends on it [after 4]\n"
            "7 start p-init-1: it is not there [after 5,4,6]\n"
            "8 create container p-web-1: it is not there [after 1]\n"
            "9 wait until p-init-1 has completed: web depends on it [after 7]\n"
            "10 start p-web-1: it is not there [after 8,4,7,9]\n");
}

TEST_F(Reconcile, WhatIsAsItShouldBeIsLeftAlone) {
  load(three_services);
  EXPECT_EQ(up(), "");
}

TEST_F(Reconcile, OnlyWhatHasChangedIsMadeAnew) {
  load(three_services);
  container_in(seen_, "p-web-1").hash = "other";
  container_in(seen_, "p-init-1").status = ContainerStatus::exited;
  EXPECT_EQ(up(),
            "1 stop p-web-1: its configuration has changed\n"
            "2 remove container p-web-1: its configuration has changed [after 1]\n"
            "3 create container p-web-1: its configuration has changed [after 2]\n"
            "4 start p-web-1: its configuration has changed [after 3]\n");
  choices_.recreate = Recreate::never;
  EXPECT_EQ(up(), "");
}

TEST_F(Reconcile, AOneShotThatHasCompletedIsNotRunAgainAndOneThatFailedIs) {
  load(three_services);
  auto& init = container_in(seen_, "p-init-1");
  init.status = ContainerStatus::exited;
  EXPECT_EQ(up(), "");
  init.exit_code = 3;
  EXPECT_EQ(up(),
            "1 wait until p-db-1 is healthy: init depends on it\n"
            "2 start p-init-1: it has ended [after 1]\n");
}

TEST_F(Reconcile, OneThatHasEndedIsStartedAgain) {
  load(three_services);
  container_in(seen_, "p-db-1").status = ContainerStatus::exited;
  container_in(seen_, "p-web-1").status = ContainerStatus::paused;
  EXPECT_EQ(up(),
            "1 start p-db-1: it has ended\n"
            "2 unpause p-web-1: it is paused\n");
}

TEST_F(Reconcile, ANetworkThatHasChangedTakesItsContainersAlong) {
  load("services: {a: {image: i}}");
  seen_.networks[0].hash = "other";
  EXPECT_EQ(up(),
            "1 stop p-a-1: its network p_default is made anew\n"
            "2 remove container p-a-1: its network p_default is made anew [after 1]\n"
            "3 remove network p_default: its settings have changed [after 2]\n"
            "4 create network p_default: its settings have changed [after 3]\n"
            "5 create container p-a-1: its network p_default is made anew [after 2,4]\n"
            "6 start p-a-1: its network p_default is made anew [after 5]\n");
}

TEST_F(Reconcile, AVolumeThatHasChangedIsKept) {
  load(three_services);
  seen_.volumes[0].hash = "other";
  EXPECT_EQ(up(),
            "warning: volume p_data was made with other settings; it is kept, for what is in it\n");
}

TEST_F(Reconcile, AMissingNetworkIsJoined) {
  load("services: {a: {image: i, networks: [x, y]}}\nnetworks: {x: {}, y: {}}");
  container_in(seen_, "p-a-1").networks.erase("p_y");
  EXPECT_EQ(up(), "1 connect p-a-1 to p_y: it is not in that network\n");
}

TEST_F(Reconcile, OneInAnotherNetworkOfThatNameIsMadeAnew) {
  load("services: {a: {image: i}}");
  container_in(seen_, "p-a-1").networks["p_default"] = "gone";
  EXPECT_THAT(up(), HasSubstr("it is in another network of the name p_default"));
}

TEST_F(Reconcile, MoreThanWantedGoAndFewerCome) {
  load("services: {a: {image: i, scale: 3}}");
  std::erase_if(seen_.containers, [](const auto& one) { return one.number == 2; });
  auto surplus = seen_.containers.front();
  surplus.number = 4;
  surplus.name = "p-a-4";
  surplus.id = "id-4";
  surplus.status = ContainerStatus::exited;
  seen_.containers.push_back(surplus);
  EXPECT_EQ(up(),
            "1 create container p-a-2: it is not there\n"
            "2 start p-a-2: it is not there [after 1]\n"
            "3 remove container p-a-4: there are more of a than wanted\n");
}

TEST_F(Reconcile, OrphansAreNamedAndRemovedOnlyWhenAsked) {
  load("services: {a: {image: i}}");
  auto orphan = seen_.containers.front();
  orphan.service = "old";
  orphan.name = "p-old-1";
  orphan.id = "id-old";
  seen_.containers.push_back(orphan);
  EXPECT_EQ(up(), "warning: container p-old-1 is an orphan: the file has no service old\n");
  choices_.remove_orphans = true;
  EXPECT_EQ(up(),
            "1 stop p-old-1: the file has no service old\n"
            "2 remove container p-old-1: the file has no service old [after 1]\n");
}

TEST_F(Reconcile, AServiceThatWasNotNamedIsNoOrphan) {
  const std::string file =
      "services: {one: {image: i}, db: {image: i}, off: {image: i, profiles: [t]}}";
  load(file);
  auto disabled = seen_.containers.front();
  disabled.service = "off";
  disabled.name = "p-off-1";
  disabled.id = "id-off";
  seen_.containers.push_back(disabled);
  project_ = project_of(file, "p", {"one"});
  wanted_ = desired(project_, {});
  choices_.services = {"one"};
  EXPECT_EQ(up(), "");
  choices_.remove_orphans = true;
  EXPECT_EQ(up(), "");
  seen_.networks[0].hash = "other";
  EXPECT_THROW(up(), NotPossible);
}

TEST_F(Reconcile, OneThatSharesANamespaceFollows) {
  load("services:\n  a: {image: i}\n  b: {image: i, network_mode: 'service:a'}\n");
  container_in(seen_, "p-a-1").hash = "other";
  EXPECT_EQ(
      up(),
      "1 stop p-a-1: its configuration has changed\n"
      "2 remove container p-a-1: its configuration has changed [after 1]\n"
      "3 create container p-a-1: its configuration has changed [after 2]\n"
      "4 start p-a-1: its configuration has changed [after 3]\n"
      "5 stop p-b-1: it shares a namespace with one that is made anew\n"
      "6 remove container p-b-1: it shares a namespace with one that is made anew [after 5]\n"
      "7 create container p-b-1: it shares a namespace with one that is made anew [after 6,3]\n"
      "8 start p-b-1: it shares a namespace with one that is made anew [after 7,4]\n");
}

TEST_F(Reconcile, ADependentThatWantsItIsRestarted) {
  load(
      "services:\n  a: {image: i}\n"
      "  b: {image: i, depends_on: {a: {condition: service_started, restart: true}}}\n");
  container_in(seen_, "p-a-1").hash = "other";
  EXPECT_THAT(up(), HasSubstr("5 stop p-b-1: a, which it depends on, is made anew\n"
                              "6 start p-b-1: a, which it depends on, is made anew [after 4,5]\n"));
}

TEST_F(Reconcile, OnlyWhatIsChosenAndItsDependencies) {
  load(three_services);
  seen_ = {};
  choices_.services = {"init"};
  EXPECT_THAT(up(), ::testing::Not(HasSubstr("p-web-1")));
  choices_.dependencies_only = true;
  EXPECT_THAT(up(), ::testing::Not(HasSubstr("p-init-1")));
  EXPECT_THAT(up(), HasSubstr("start p-db-1"));
}

TEST_F(Reconcile, DependenciesAloneEndWithTheConditionsOfThoseThatAreLeftOut) {
  load(
      "services:\n"
      "  a: {image: i, depends_on: {b: {condition: service_completed_successfully}}}\n"
      "  b: {image: i}\n"
      "  c: {image: i, depends_on: [a]}\n");
  seen_ = {};
  choices_.services = {"a"};
  choices_.dependencies_only = true;
  EXPECT_THAT(up(), HasSubstr("wait until p-b-1 has completed: a depends on it"));
  EXPECT_THAT(up(), ::testing::Not(HasSubstr("p-a-1")));
  choices_.services = {"a", "c"};
  EXPECT_THAT(up(), HasSubstr("start p-a-1"));
  EXPECT_THAT(up(), ::testing::Not(HasSubstr("p-c-1")));
}

TEST_F(Reconcile, DependenciesAloneLeaveContainersOfOthersAlone) {
  load(three_services);
  ObservedContainer held = container_in(seen_, "p-web-1");
  held.name = "held";
  held.id = "held-id";
  held.number = 7;
  seen_.containers.push_back(held);
  choices_.services = {"web"};
  choices_.dependencies_only = true;
  EXPECT_THAT(up(), ::testing::Not(HasSubstr("held")));
}

TEST_F(Reconcile, ReadinessIsWaitedForWhenAsked) {
  load("services: {a: {image: i}}");
  choices_.wait_ready = true;
  EXPECT_EQ(up(), "1 wait until p-a-1 is ready: the project is to be ready\n");
}

TEST_F(Reconcile, AnotherOwnersThingsAreRefusedByName) {
  load("services: {a: {image: i}}");
  choices_.owner.value = "u1";
  EXPECT_THAT(refusal(), HasSubstr("container p-a-1 is not this project's: it carries no label"));
  whose_ = {{"campaignctl.uid", "u2"}};
  load("services: {a: {image: i}}");
  EXPECT_THAT(refusal(), HasSubstr("campaignctl.uid is u2"));
  choices_.owner.value = "u2";
  EXPECT_EQ(refusal(), "");
  choices_.owner.value = "";
  EXPECT_THAT(refusal(), HasSubstr("campaignctl.uid is u2"));
}

TEST_F(Reconcile, WhatHasAWantedNameAndIsNotTheProjectsIsRefused) {
  load(three_services);
  seen_ = {};
  seen_.foreign_volumes = {{.name = "p_data", .key = "", .hash = ""}};
  EXPECT_THAT(refusal(), HasSubstr("volume p_data is not this project's"));
  seen_.foreign_volumes.clear();
  seen_.foreign_networks = {{.id = "n", .name = "p_default", .key = "", .hash = ""}};
  EXPECT_THAT(refusal(), HasSubstr("network p_default is not this project's"));
}

TEST_F(Reconcile, AVolumeOfAFixedNameIsUsedAsItIsThere) {
  load("services: {a: {image: i, volumes: ['data:/data']}}\nvolumes: {data: {name: store}}");
  seen_.volumes.clear();
  seen_.foreign_volumes = {{.name = "store", .key = "", .hash = ""}};
  EXPECT_EQ(up(),
            "warning: volume store is there and is not this project's: it is used as it is, and "
            "stays; `external: true` says so\n");
  EXPECT_THAT(down({.remove_volumes = true}), ::testing::Not(HasSubstr("store")));
  seen_.foreign_volumes[0].labels["campaignctl.uid"] = "u2";
  EXPECT_THAT(refusal(), HasSubstr("volume store is not this project's: its label"));
}

TEST_F(Reconcile, ExternalThingsMustBeThere) {
  load("services: {a: {image: i, networks: [x]}}\nnetworks: {x: {external: true, name: out}}");
  seen_ = {};
  EXPECT_THAT(refusal(), HasSubstr("network out is external and is not there"));
  seen_.foreign_networks = {{.id = "n", .name = "out", .key = "", .hash = ""}};
  EXPECT_EQ(up(),
            "1 create container p-a-1: it is not there\n"
            "2 start p-a-1: it is not there [after 1]\n");
}

TEST_F(Reconcile, DownGoesAgainstTheOrderOfDependency) {
  load(three_services);
  container_in(seen_, "p-init-1").status = ContainerStatus::exited;
  EXPECT_EQ(down({.remove_volumes = true}),
            "1 stop p-web-1: the project goes\n"
            "2 remove container p-web-1: the project goes [after 1]\n"
            "3 remove container p-init-1: the project goes [after 2]\n"
            "4 stop p-db-1: the project goes [after 3,2]\n"
            "5 remove container p-db-1: the project goes [after 4]\n"
            "6 remove network p_default: the project goes [after 2,3,5]\n"
            "7 remove volume p_data: the project goes, with its volumes [after 2,3,5]\n");
  EXPECT_THAT(down({}), ::testing::Not(HasSubstr("volume")));
}

TEST_F(Reconcile, DownLeavesWhatIsAnotherOwners) {
  whose_ = {{"campaignctl.uid", "u2"}};
  load("services: {a: {image: i}}");
  EXPECT_EQ(down({}),
            "left: container p-a-1: it is another owner's\n"
            "left: network p_default: it is another owner's\n");
}

TEST_F(Reconcile, DownNamesTheCampaignThatItLeavesThingsTo) {
  whose_ = {{"campaignctl.uid", "u2"}, {"campaignctl.campaign", "alpha"}};
  load("services: {a: {image: i}}");
  EXPECT_EQ(down({}),
            "left: container p-a-1: it is of campaign alpha\n"
            "left: network p_default: it is of campaign alpha\n");
  EXPECT_EQ(plan_down(seen_, {}).owners, Strings{"alpha"});
}

TEST_F(Reconcile, DownLeavesOrphansWhenAskedTo) {
  load("services: {a: {image: i}, b: {image: i}}");
  const DownChoices choices{.services = Strings{"a"}, .remove_orphans = false};
  EXPECT_THAT(down(choices), HasSubstr("left: container p-b-1: it is an orphan"));
  EXPECT_THAT(down(choices), ::testing::Not(HasSubstr("stop p-b-1")));
}

TEST(Graph, ACircleIsNamed) {
  Project project;
  for (const char* name : {"a", "b"}) project.services[name].name = name;
  project.services["a"].depends_on["b"];
  project.services["b"].depends_on["a"];
  try {
    start_order(project);
    FAIL() << "a circle has no order";
  } catch (const NotPossible& error) {
    EXPECT_THAT(error.what(), HasSubstr("a -> b -> a"));
  }
}

TEST(Desired, TheHashFollowsWhatIsSentAndNothingElse) {
  const auto hash = [](const std::string& yaml, const DesiredOptions& options = {}) {
    return desired(project_of(yaml), options).containers.at(0).hash;
  };
  const std::string plain = hash("services: {a: {image: i}}");
  EXPECT_EQ(hash("services: {a: {image: i}}", {.labels = {{"campaignctl.session", "s"}}}), plain);
  EXPECT_EQ(hash("services: {a: {image: i, depends_on: [b]}, b: {image: i}}"), plain);
  EXPECT_NE(hash("services: {a: {image: i, environment: {K: v}}}"), plain);
  EXPECT_NE(hash("services: {a: {image: i, labels: {k: v}}}"), plain);
  EXPECT_NE(hash("services: {a: {image: i}}", {.image_ids = {{"i", "sha256:1"}}}), plain);
  const DesiredOptions changed{
      .adjust = [](const Service&, container::ContainerSpec& spec) { spec.command = {"x"}; }};
  EXPECT_NE(hash("services: {a: {image: i}}", changed), plain);
}

TEST(Desired, DockerComposesLabelsAreThere) {
  const auto made = desired(project_of("services:\n  a: {image: i, depends_on: {b: {condition: "
                                       "service_healthy}}}\n  b: {image: i}\n"),
                            {});
  const auto& labels = made.containers.at(0).spec.labels;
  EXPECT_EQ(labels.at(label::project), "p");
  EXPECT_EQ(labels.at(label::service), "a");
  EXPECT_EQ(labels.at(label::number), "1");
  EXPECT_EQ(labels.at(label::oneoff), "False");
  EXPECT_EQ(labels.at(label::depends_on), "b:service_healthy:false");
  EXPECT_EQ(labels.at(label::config_hash), made.containers.at(0).hash);
  EXPECT_EQ(made.networks.at(0).spec.labels.at(label::network), "default");
}

TEST(Desired, AOneOffIsLeftAloneByTheServiceItComesFrom) {
  const Project project = project_of(
      "services: {a: {image: i, ports: ['8080:80'], restart: always, command: [x], healthcheck: "
      "{test: [CMD, y]}}}");
  const auto made =
      desired_oneoff(project, "a", {.slug = std::string(64, 'f'), .command = Strings{"z"}});
  EXPECT_EQ(made.spec.name, "p-a-run-ffffffffffff");
  EXPECT_TRUE(made.spec.ports.empty());
  EXPECT_EQ(made.spec.restart.name, "no");
  EXPECT_FALSE(made.spec.health);
  EXPECT_EQ(made.spec.command, Strings{"z"});
  EXPECT_EQ(made.spec.networks.at(0).aliases, Strings{made.spec.name});
  EXPECT_EQ(made.spec.labels.at(label::oneoff), "True");
  EXPECT_EQ(made.spec.labels.at(label::slug), std::string(64, 'f'));
  EXPECT_FALSE(made.spec.labels.contains(label::number));
  EXPECT_THROW(desired_oneoff(project, "b", {.slug = "f"}), NotPossible);
}

}  // namespace
}  // namespace compose::test
