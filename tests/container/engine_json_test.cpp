#include "container/engine_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace container {
namespace {

using nlohmann::json;

json created(const ContainerSpec& spec) { return json::parse(engine_json::create_body(spec)); }

int refused_with(const ContainerSpec& spec) {
  try {
    engine_json::create_body(spec);
  } catch (const EngineError& error) {
    return error.status;
  }
  return 0;
}

ContainerSpec full_spec() {
  ContainerSpec spec;
  spec.name = "cctl-1";
  spec.image = "sha256:abc";
  spec.entrypoint = {"/campaign/launch"};
  spec.command = {"--run", "x.a1"};
  spec.env = {"A=1", "NVIDIA_VISIBLE_DEVICES=GPU-1"};
  spec.user = "1000:1000";
  spec.working_dir = "/w";
  spec.network = "net";
  spec.ipc = "host";
  spec.cpuset_cpus = "0-1";
  spec.labels = {{"campaignctl.uid", "u"}};
  spec.mounts = {{.source = "/src", .target = "/dst", .read_only = true},
                 {.source = "cache", .target = "/cache", .volume = true}};
  spec.tmpfs = {{"/tmp", "size=1m"}};
  spec.shm_size = 67108864;
  spec.memory = 1073741824;
  spec.pids_limit = 100;
  spec.cpus = 1.5;
  spec.ulimits = {{.name = "memlock", .soft = -1, .hard = -1}};
  spec.cap_add = {"SYS_PTRACE"};
  spec.cap_drop = {"NET_RAW"};
  spec.security_opt = {"no-new-privileges"};
  spec.init = false;
  spec.read_only = true;
  spec.privileged = true;
  spec.stop_timeout = 7;
  return spec;
}

TEST(EngineJson, EveryFieldOfASpecIsSaid) {
  EXPECT_EQ(created(full_spec()), json::parse(R"({
    "Image": "sha256:abc", "Entrypoint": ["/campaign/launch"], "Cmd": ["--run", "x.a1"],
    "Env": ["A=1", "NVIDIA_VISIBLE_DEVICES=GPU-1"], "User": "1000:1000", "WorkingDir": "/w",
    "Labels": {"campaignctl.uid": "u"}, "StopTimeout": 7, "Healthcheck": {"Test": ["NONE"]},
    "AttachStdin": false, "AttachStdout": true, "AttachStderr": true, "OpenStdin": false, "StdinOnce": false,
    "Tty": false,
    "HostConfig": {
      "AutoRemove": false, "RestartPolicy": {"Name": "no"}, "Init": false, "ReadonlyRootfs": true,
      "Privileged": true, "NetworkMode": "net", "IpcMode": "host", "CpusetCpus": "0-1",
      "LogConfig": {"Type": "json-file", "Config": {"max-size": "50m", "max-file": "3"}},
      "Mounts": [{"Type": "bind", "Source": "/src", "Target": "/dst", "ReadOnly": true},
                 {"Type": "volume", "Source": "cache", "Target": "/cache", "ReadOnly": false}],
      "Tmpfs": {"/tmp": "size=1m"}, "ShmSize": 67108864, "Memory": 1073741824, "PidsLimit": 100,
      "NanoCpus": 1500000000, "Ulimits": [{"Name": "memlock", "Soft": -1, "Hard": -1}],
      "CapAdd": ["SYS_PTRACE"], "CapDrop": ["NET_RAW"], "SecurityOpt": ["no-new-privileges"]}})"));
}

TEST(EngineJson, WhatASpecLeavesOpenIsLeftToTheEngineButNotTheGuards) {
  ContainerSpec spec;
  spec.image = "i";
  EXPECT_EQ(created(spec), json::parse(R"({
    "Image": "i", "Env": ["NVIDIA_VISIBLE_DEVICES=void"], "Labels": {}, "Healthcheck": {"Test": ["NONE"]},
    "AttachStdin": false, "AttachStdout": true, "AttachStderr": true, "OpenStdin": false, "StdinOnce": false,
    "Tty": false,
    "HostConfig": {"AutoRemove": false, "RestartPolicy": {"Name": "no"}, "Init": true, "ReadonlyRootfs": false,
      "Privileged": false, "LogConfig": {"Type": "json-file", "Config": {"max-size": "50m", "max-file": "3"}}}})"));
}

TEST(EngineJson, EmptyEntrypointIsSaidAndAnUnsetOneIsNot) {
  ContainerSpec spec;
  EXPECT_FALSE(created(spec).contains("Entrypoint"));
  spec.entrypoint.emplace();
  EXPECT_EQ(created(spec)["Entrypoint"], json::array());
}

TEST(EngineJson, ArgumentsThatTheKernelWouldRefuseAreRefusedFirst) {
  ContainerSpec spec;
  spec.env = {"A=" + std::string(131069, 'x')};
  EXPECT_EQ(refused_with(spec), 0);
  spec.env = {"A=" + std::string(131070, 'x')};
  EXPECT_EQ(refused_with(spec), 400);
  spec.env.clear();
  spec.command.assign(15, std::string(131000, 'x'));
  EXPECT_EQ(refused_with(spec), 0);
  spec.command.assign(17, std::string(131000, 'x'));
  EXPECT_EQ(refused_with(spec), 400);
  spec.ulimits = {{.name = "stack", .soft = 67108864, .hard = 67108864}};
  EXPECT_EQ(refused_with(spec), 0);
}

TEST(EngineJson, BytesThatAreNotUtf8AreRefused) {
  ContainerSpec spec;
  spec.env = {"A=\xff"};
  EXPECT_EQ(refused_with(spec), 400);
}

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
