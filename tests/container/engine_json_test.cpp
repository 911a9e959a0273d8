#include "container/engine_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace container {
namespace {

using nlohmann::json;

TEST(EngineJson, StateIsReadWithAllItsFields) {
  const auto state =
      engine_json::state(R"({"Id":"i","Name":"/n","Config":{"Tty":true,"Labels":{"k":"v"}},
    "State":{"Status":"exited","ExitCode":137,"OOMKilled":true,"Error":"e","Pid":7,"StartedAt":"s","FinishedAt":"f"}})");
  EXPECT_EQ(state.id, "i");
  EXPECT_EQ(state.name, "n");
  EXPECT_EQ(state.status, ContainerStatus::exited);
  EXPECT_EQ(state.exit_code, 137);
  EXPECT_TRUE(state.oom_killed);
  EXPECT_EQ(state.error, "e");
  EXPECT_EQ(state.pid, 7);
  EXPECT_EQ(state.started_at, "s");
  EXPECT_EQ(state.finished_at, "f");
  EXPECT_TRUE(state.tty);
  EXPECT_EQ(state.labels.at("k"), "v");
}

TEST(EngineJson, HealthExecsNetworksAndMountsOfAContainerAreRead) {
  const auto state =
      engine_json::state(R"({"Image":"sha256:1","RestartCount":2,"ExecIDs":["e1","e2"],
    "Config":{"Image":"probe:1","StopSignal":"SIGINT","StopTimeout":7},
    "State":{"Status":"running","Health":{"Status":"unhealthy","FailingStreak":3,"Log":[{"Output":"a"},{"Output":"b"}]}},
    "NetworkSettings":{"Networks":{"n":{"NetworkID":"i","IPAddress":"10.0.0.2","Aliases":["db"]}}},
    "Mounts":[{"Type":"volume","Name":"v","Source":"/s","Destination":"/d","RW":false}]})");
  EXPECT_EQ(state.health.status, Health::unhealthy);
  EXPECT_EQ(state.health.failing_streak, 3);
  EXPECT_EQ(state.health.log, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(state.execs, (std::vector<std::string>{"e1", "e2"}));
  EXPECT_EQ(state.image, "sha256:1");
  EXPECT_EQ(state.image_name, "probe:1");
  EXPECT_EQ(state.stop_signal, "SIGINT");
  EXPECT_EQ(state.stop_timeout, 7);
  EXPECT_EQ(state.restart_count, 2);
  EXPECT_EQ(state.networks.at("n").network_id, "i");
  EXPECT_EQ(state.networks.at("n").address, "10.0.0.2");
  EXPECT_EQ(state.networks.at("n").aliases, (std::vector<std::string>{"db"}));
  ASSERT_EQ(state.mounts.size(), 1u);
  EXPECT_EQ(state.mounts[0].name, "v");
  EXPECT_EQ(state.mounts[0].target, "/d");
  EXPECT_TRUE(state.mounts[0].read_only);
}

TEST(EngineJson, HealthIsReadFromEvents) {
  EngineEvent event{.action = "health_status: healthy", .id = "i", .attributes = {}};
  EXPECT_EQ(health_in(event), Health::healthy);
  event.action = "health_status: unhealthy";
  EXPECT_EQ(health_in(event), Health::unhealthy);
  event.action = "die";
  EXPECT_FALSE(health_in(event));
}

TEST(EngineJson, NetworksVolumesAndExecsAreAskedForAndRead) {
  EXPECT_EQ(
      json::parse(engine_json::network_body({.name = "n",
                                             .driver = "bridge",
                                             .options = {{"o", "1"}},
                                             .labels = {{"l", "v"}},
                                             .ipam_driver = "default",
                                             .pools = {{.subnet = "10.9.0.0/24",
                                                        .gateway = "10.9.0.1",
                                                        .ip_range = "10.9.0.0/25",
                                                        .auxiliary = {{"h", "10.9.0.5"}}}},
                                             .internal = true})),
      json::parse(
          R"({"Name":"n","Driver":"bridge","CheckDuplicate":true,"Options":{"o":"1"},"Labels":{"l":"v"},
    "Internal":true,"Attachable":false,"EnableIPv6":false,"IPAM":{"Driver":"default","Config":[{"Subnet":"10.9.0.0/24",
    "Gateway":"10.9.0.1","IPRange":"10.9.0.0/25","AuxiliaryAddresses":{"h":"10.9.0.5"}}]}})"));
  EXPECT_EQ(json::parse(engine_json::connect_body({.network = "n", .aliases = {"a"}}, "c")),
            json::parse(R"({"Container":"c","EndpointConfig":{"Aliases":["a"]}})"));
  EXPECT_EQ(json::parse(engine_json::volume_body({.name = "v", .labels = {{"l", "1"}}})),
            json::parse(R"({"Name":"v","Labels":{"l":"1"},"DriverOpts":{}})"));
  EXPECT_EQ(
      json::parse(engine_json::exec_body(
          {.command = {"a", "b"}, .env = {"K=V"}, .user = "1:2", .working_dir = "/w"})),
      json::parse(R"({"AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,
    "Privileged":false,"Cmd":["a","b"],"Env":["K=V"],"User":"1:2","WorkingDir":"/w"})"));
  EXPECT_EQ(json::parse(engine_json::exec_body(
                {.command = {"a"}, .output = true, .input = true, .terminal = true})),
            json::parse(R"({"AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Tty":true,
    "Privileged":false,"Cmd":["a"]})"));
  EXPECT_EQ(json::parse(engine_json::exec_start_body(engine_json::ExecStart::terminal)),
            json::parse(R"({"Detach":false,"Tty":true})"));
  const auto network =
      engine_json::network(R"({"Id":"i","Name":"n","Driver":"bridge","Labels":{"l":"v"},
    "Containers":{"c1":{}}})");
  EXPECT_EQ(network.id, "i");
  EXPECT_EQ(network.containers, (std::vector<std::string>{"c1"}));
  EXPECT_EQ(engine_json::volumes(R"({"Volumes":[{"Name":"v","Labels":null}]})").at(0).name, "v");
  EXPECT_TRUE(engine_json::volumes(R"({"Volumes":null})").empty());
}

TEST(EngineJson, AnExecHasACodeOnlyOnceItHasEnded) {
  const auto running = engine_json::exec(
      R"({"ID":"e","ContainerID":"c","Running":true,"ExitCode":0,"Pid":9,
          "ProcessConfig":{"entrypoint":"/l","arguments":["--run","x.a1"]}})");
  EXPECT_TRUE(running.running);
  EXPECT_FALSE(running.exit_code);
  EXPECT_EQ(running.pid, 9);
  EXPECT_EQ(running.arguments, (std::vector<std::string>{"/l", "--run", "x.a1"}));
  EXPECT_FALSE(engine_json::exec(R"({"Running":false,"ExitCode":null})").exit_code);
  EXPECT_EQ(engine_json::exec(R"({"Running":false,"ExitCode":7})").exit_code, 7);
}

TEST(EngineJson, EveryFieldOfAnAnswerMayBeMissingNullOrOfAnotherType) {
  for (const char* body :
       {"{}", "null", "[]", "7", R"({"State":null,"Config":null,"Name":null,"Id":3,"RootFS":null})",
        R"({"State":[],"Config":"x","Names":null,"SecurityOptions":{},"Runtimes":null})"}) {
    EXPECT_EQ(engine_json::state(body).status, ContainerStatus::created) << body;
    EXPECT_TRUE(engine_json::info(body).id.empty()) << body;
    EXPECT_TRUE(engine_json::image(body).layers.empty()) << body;
    EXPECT_TRUE(engine_json::summaries(body).empty()) << body;
    EXPECT_FALSE(engine_json::wait_result(body).known) << body;
    EXPECT_FALSE(engine_json::event(body)) << body;
    EXPECT_FALSE(engine_json::pull_error(body)) << body;
  }
  EXPECT_THROW(engine_json::state("{\"Id\":"), EngineError);
  EXPECT_THROW(engine_json::created_id("{}"), EngineError);
  EXPECT_EQ(engine_json::summaries("[{},null]").size(), 2u);
}

TEST(EngineJson, StatusOfOtherEnginesIsUnderstood) {
  const auto of = [](const std::string& state) {
    return engine_json::state("{\"State\":" + state + "}").status;
  };
  EXPECT_EQ(of(R"({"Status":"configured"})"), ContainerStatus::created);
  EXPECT_EQ(of(R"({"Status":"stopped"})"), ContainerStatus::exited);
  EXPECT_EQ(of(R"({"Status":"stopping"})"), ContainerStatus::running);
  EXPECT_EQ(of(R"({"Running":true})"), ContainerStatus::running);
  EXPECT_EQ(of(R"({"Status":"new word","FinishedAt":"2026-01-01T00:00:00Z"})"),
            ContainerStatus::exited);
  EXPECT_EQ(of(R"({"FinishedAt":"0001-01-01T00:00:00Z"})"), ContainerStatus::created);
}

TEST(EngineJson, InfoSeesRootlessAndUserNamespaces) {
  const auto info = engine_json::info(
      R"({"SecurityOptions":["name=seccomp,profile=default","name=rootless","name=userns"],"Runtimes":{"a":{},"b":{}}})");
  EXPECT_TRUE(info.rootless);
  EXPECT_TRUE(info.userns_remap);
  EXPECT_EQ(info.runtimes, (std::vector<std::string>{"a", "b"}));
}

TEST(EngineJson, InfoSeesEveryWayToAGpu) {
  const auto info = engine_json::info(
      R"({"ServerVersion":"28.5.2","Runtimes":{"nvidia":{},"runc":{}},"DefaultRuntime":"nvidia",)"
      R"("CDISpecDirs":["/etc/cdi","/var/run/cdi"],"DiscoveredDevices":[)"
      R"({"Source":"cdi","ID":"nvidia.com/gpu=0"},{"Source":"other","ID":"x"},{"Source":"cdi"}]})");
  EXPECT_EQ(info.runtimes, (std::vector<std::string>{"nvidia", "runc"}));
  EXPECT_EQ(info.default_runtime, "nvidia");
  EXPECT_EQ(info.cdi_folders, (std::vector<std::string>{"/etc/cdi", "/var/run/cdi"}));
  EXPECT_EQ(info.cdi_devices, (std::vector<std::string>{"nvidia.com/gpu=0"}));
  const auto old = engine_json::info(
      R"({"ServerVersion":"20.10.24","DefaultRuntime":null,"CDISpecDirs":null,"DiscoveredDevices":{}})");
  EXPECT_EQ(old.default_runtime, "");
  EXPECT_TRUE(old.cdi_folders.empty());
  EXPECT_TRUE(old.cdi_devices.empty());
}

TEST(EngineJson, CutOrOddWaitIsNeverACode) {
  EXPECT_EQ(engine_json::wait_result(R"({"StatusCode":3})").exit_code, 3);
  EXPECT_TRUE(engine_json::wait_result(R"({"Error":null,"StatusCode":0})").known);
  for (const char* body : {"", "{", R"({"StatusCode":)", R"({"Error":{"Message":"gone"}})",
                           R"({"StatusCode":-1})", R"({"StatusCode":null})"}) {
    const auto result = engine_json::wait_result(body);
    EXPECT_FALSE(result.known) << body;
    EXPECT_FALSE(result.error.empty()) << body;
  }
  const auto failed_start =
      engine_json::wait_result(R"({"Error":{"Message":"no such file"},"StatusCode":127})");
  EXPECT_TRUE(failed_start.known);
  EXPECT_EQ(failed_start.error, "no such file");
}

TEST(EngineJson, EventsOfOldNewAndOtherEnginesAreOne) {
  const auto old_form =
      engine_json::event(R"({"status":"die","id":"i","Type":"container","timeNano":5})");
  ASSERT_TRUE(old_form);
  EXPECT_EQ(old_form->action, "die");
  EXPECT_EQ(old_form->id, "i");
  const auto new_form = engine_json::event(
      R"({"Type":"container","Action":"die","Actor":{"ID":"i","Attributes":{"exitCode":"3"}},"time":2})");
  ASSERT_TRUE(new_form);
  EXPECT_EQ(new_form->attributes.at("exitCode"), "3");
  EXPECT_EQ(new_form->time_nano, 2'000'000'000);
  const auto podman = engine_json::event(
      R"({"Action":"died","Actor":{"ID":"i","Attributes":{"containerExitCode":"4"}}})");
  ASSERT_TRUE(podman);
  EXPECT_EQ(podman->action, "die");
  EXPECT_EQ(podman->attributes.at("exitCode"), "4");
}

TEST(EngineJson, CommandLinesInEventsAreCutOff) {
  const auto event =
      engine_json::event(R"({"Action":"exec_create: sh -c 'TOKEN=x'","Actor":{"ID":"i"}})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->action, "exec_create");
  EXPECT_EQ(engine_json::event(R"({"Action":"health_status: healthy","Actor":{"ID":"i"}})")->action,
            "health_status: healthy");
}

TEST(EngineJson, ErrorTextIsReadFromJsonAndFromPlainText) {
  EXPECT_EQ(engine_json::error_text(R"({"message":"a\nb"})"), "a b");
  EXPECT_EQ(engine_json::error_text(R"({"cause":"c","response":500})"), "c");
  EXPECT_EQ(engine_json::error_text("page not found\n"), "page not found");
  EXPECT_EQ(engine_json::error_text(""), "no reason was given");
  EXPECT_EQ(engine_json::error_text("{}"), "no reason was given");
  EXPECT_LT(engine_json::error_text(std::string(100000, 'x')).size(), 5000u);
}

TEST(EngineJson, PullErrorIsFoundInProgress) {
  EXPECT_FALSE(engine_json::pull_error(R"({"status":"Downloading"})"));
  EXPECT_EQ(engine_json::pull_error(R"({"errorDetail":{"message":"m"},"error":"m"})"), "m");
  EXPECT_EQ(engine_json::pull_error(R"({"error":"e"})"
                                    "\r"),
            "e");
}

TEST(EngineJson, LabelFilterSaysPresenceAndValue) {
  EXPECT_EQ(json::parse(engine_json::label_filter({{"a", ""}, {"b", "c"}})),
            json::parse(R"({"label":["a","b=c"]})"));
  EXPECT_EQ(json::parse(engine_json::label_filter({}, "container")),
            json::parse(R"({"type":["container"]})"));
}

TEST(ImageIdentity, DependsOnContentAndConfigOnly) {
  ImageInfo image;
  image.layers = {"sha256:1", "sha256:2"};
  image.command = {"sh"};
  const auto identity = image.identity();
  EXPECT_EQ(identity, "72a13cc05b31738c3e56b452b02a945e80b62aa0bba373197220e6e723a3cecb");
  image.id = "sha256:other";
  image.repo_digests = {"x@sha256:3"};
  EXPECT_EQ(image.identity(), identity);
  for (auto change :
       {+[](ImageInfo& i) { i.layers.pop_back(); },
        +[](ImageInfo& i) {
          i.entrypoint = {"sh"};
          i.command.clear();
        },
        +[](ImageInfo& i) { i.env = {"A=1"}; }, +[](ImageInfo& i) { i.workdir = "/w"; },
        +[](ImageInfo& i) { i.user = "1"; }}) {
    auto changed = image;
    change(changed);
    EXPECT_NE(changed.identity(), identity);
  }
}

}  // namespace
}  // namespace container
