// What an engine is told of a container that it is to make.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "container/engine_json.hpp"

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

TEST(EngineJsonCreate, EveryFieldOfASpecIsSaid) {
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

ContainerSpec service_spec() {
  ContainerSpec spec;
  spec.image = "i";
  spec.hostname = "h";
  spec.domainname = "d";
  spec.mac_address = "02:42:ac:11:00:02";
  spec.runtime = "runc";
  spec.tty = true;
  spec.stdin_open = true;
  spec.stop_signal = "SIGINT";
  spec.health = HealthCheck{.test = {"CMD", "ok"},
                            .interval = 0.5,
                            .timeout = 1,
                            .start_period = 2,
                            .start_interval = 0.25,
                            .retries = 3};
  spec.ports = {{.target = 80, .host_ip = "127.0.0.1", .published = "8080-8090"},
                {.target = 53, .protocol = "udp"}};
  spec.expose = {"9000/tcp"};
  spec.networks = {{.network = "a",
                    .aliases = {"db"},
                    .ipv4 = "10.0.0.2",
                    .ipv6 = "fd00::2",
                    .mac_address = "02:42:ac:11:00:03",
                    .link_local_ips = {"169.254.0.1"},
                    .links = {"x:y"},
                    .driver_options = {{"k", "v"}}},
                   {.network = "b"}};
  spec.extra_hosts = {"host:10.0.0.1"};
  spec.dns = {"10.0.0.53"};
  spec.dns_search = {"example.org"};
  spec.dns_options = {"ndots:2"};
  return spec;
}

TEST(EngineJsonCreate, WhatAServiceIsAskedForIsSaid) {
  const auto body = created(service_spec());
  EXPECT_EQ(body["NetworkingConfig"], json::parse(R"({"EndpointsConfig": {
    "a": {"Aliases": ["db"], "IPAMConfig": {"IPv4Address": "10.0.0.2", "IPv6Address": "fd00::2",
          "LinkLocalIPs": ["169.254.0.1"]}, "Links": ["x:y"], "MacAddress": "02:42:ac:11:00:03", "DriverOpts": {"k": "v"}},
    "b": {}}})"));
  EXPECT_EQ(body["Healthcheck"],
            json::parse(R"({"Test": ["CMD", "ok"], "Interval": 500000000, "Timeout": 1000000000,
    "StartPeriod": 2000000000, "StartInterval": 250000000, "Retries": 3})"));
  EXPECT_EQ(body["ExposedPorts"], json::parse(R"({"80/tcp": {}, "53/udp": {}, "9000/tcp": {}})"));
  EXPECT_EQ(body["Hostname"], "h");
  EXPECT_EQ(body["Domainname"], "d");
  EXPECT_EQ(body["MacAddress"], "02:42:ac:11:00:02");
  EXPECT_EQ(body["StopSignal"], "SIGINT");
  EXPECT_EQ(body["Tty"], true);
  EXPECT_EQ(body["OpenStdin"], true);
  const auto& host = body["HostConfig"];
  EXPECT_EQ(host["NetworkMode"], "a");
  EXPECT_EQ(host["Runtime"], "runc");
  EXPECT_EQ(host["PortBindings"],
            json::parse(R"({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080-8090"}],
    "53/udp": [{"HostIp": "", "HostPort": ""}]})"));
  EXPECT_EQ(host["ExtraHosts"], json::parse(R"(["host:10.0.0.1"])"));
  EXPECT_EQ(host["Dns"], json::parse(R"(["10.0.0.53"])"));
  EXPECT_EQ(host["DnsSearch"], json::parse(R"(["example.org"])"));
  EXPECT_EQ(host["DnsOptions"], json::parse(R"(["ndots:2"])"));
}

ContainerSpec deep_spec() {
  ContainerSpec spec;
  spec.pid = "host";
  spec.uts = "host";
  spec.userns = "host";
  spec.cgroup = "private";
  spec.cgroup_parent = "/p";
  spec.isolation = "default";
  spec.volumes_from = {"c:ro"};
  spec.devices = {{.host = "/dev/null", .target = "/dev/nvidia0", .permissions = "rw"}};
  spec.device_requests = {{.driver = "nvidia",
                           .ids = {"GPU-1"},
                           .capabilities = {{"gpu", "compute"}},
                           .options = {{"o", "1"}}},
                          {.count = -1}};
  spec.device_cgroup_rules = {"c 1:3 r"};
  spec.group_add = {"44"};
  spec.sysctls = {{"net.core.somaxconn", "1024"}};
  spec.storage_options = {{"size", "1G"}};
  spec.annotations = {{"a", "b"}};
  spec.restart = {.name = "on-failure", .most = 3};
  spec.logging = LogDriver{.driver = "local", .options = {{"max-size", "1m"}}};
  spec.mounts = {{.source = "/s", .target = "/t", .propagation = "rshared"},
                 {.source = "v", .target = "/v", .volume = true, .no_copy = true, .subpath = "x"},
                 {.target = "/anonymous", .volume = true}};
  spec.limits = {.cpu_shares = 1,
                 .cpu_period = 2,
                 .cpu_quota = 3,
                 .cpu_rt_period = 4,
                 .cpu_rt_runtime = 5,
                 .cpu_count = 6,
                 .cpu_percent = 7,
                 .cpuset_mems = "0",
                 .memory_reservation = 8,
                 .memory_swap = -1,
                 .memory_swappiness = 0,
                 .oom_kill_disable = true,
                 .oom_score_adj = -5};
  spec.limits.block_io = {.weight = 10,
                          .device_weights = {{.path = "/dev/a", .weight = 20}},
                          .read_bps = {{.path = "/dev/a", .rate = 1}},
                          .write_bps = {{.path = "/dev/a", .rate = 2}},
                          .read_iops = {{.path = "/dev/a", .rate = 3}},
                          .write_iops = {{.path = "/dev/a", .rate = 4}}};
  return spec;
}

TEST(EngineJsonCreate, NamespacesDevicesAndFineLimitsAreSaid) {
  EXPECT_EQ(created(deep_spec())["HostConfig"], json::parse(R"({
    "AutoRemove": false, "Init": true, "ReadonlyRootfs": false, "Privileged": false,
    "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
    "LogConfig": {"Type": "local", "Config": {"max-size": "1m"}},
    "PidMode": "host", "UTSMode": "host", "UsernsMode": "host", "CgroupnsMode": "private", "CgroupParent": "/p",
    "Isolation": "default", "VolumesFrom": ["c:ro"],
    "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nvidia0", "CgroupPermissions": "rw"}],
    "DeviceRequests": [{"Driver": "nvidia", "DeviceIDs": ["GPU-1"], "Capabilities": [["gpu", "compute"]],
                        "Options": {"o": "1"}}, {"Driver": "", "Count": -1}],
    "DeviceCgroupRules": ["c 1:3 r"], "GroupAdd": ["44"], "Sysctls": {"net.core.somaxconn": "1024"},
    "StorageOpt": {"size": "1G"}, "Annotations": {"a": "b"},
    "Mounts": [{"Type": "bind", "Source": "/s", "Target": "/t", "ReadOnly": false, "BindOptions": {"Propagation": "rshared"}},
               {"Type": "volume", "Source": "v", "Target": "/v", "ReadOnly": false,
                "VolumeOptions": {"NoCopy": true, "Subpath": "x"}},
               {"Type": "volume", "Target": "/anonymous", "ReadOnly": false}],
    "CpuShares": 1, "CpuPeriod": 2, "CpuQuota": 3, "CpuRealtimePeriod": 4, "CpuRealtimeRuntime": 5, "CpuCount": 6,
    "CpuPercent": 7, "CpusetMems": "0", "MemoryReservation": 8, "MemorySwap": -1, "MemorySwappiness": 0,
    "OomKillDisable": true, "OomScoreAdj": -5, "BlkioWeight": 10,
    "BlkioWeightDevice": [{"Path": "/dev/a", "Weight": 20}], "BlkioDeviceReadBps": [{"Path": "/dev/a", "Rate": 1}],
    "BlkioDeviceWriteBps": [{"Path": "/dev/a", "Rate": 2}], "BlkioDeviceReadIOps": [{"Path": "/dev/a", "Rate": 3}],
    "BlkioDeviceWriteIOps": [{"Path": "/dev/a", "Rate": 4}]})"));
}

TEST(EngineJsonCreate, RequestedDevicesAreNotHiddenByTheGuard) {
  EXPECT_EQ(created(deep_spec())["Env"], json::array());
}

TEST(EngineJsonCreate, OlderEnginesAreToldOneNetwork) {
  const auto body = json::parse(engine_json::create_body(service_spec(), 43));
  EXPECT_EQ(body["NetworkingConfig"]["EndpointsConfig"].size(), 1u);
  EXPECT_TRUE(body["NetworkingConfig"]["EndpointsConfig"].contains("a"));
}

TEST(EngineJsonCreate, TheImagesOwnHealthCheckIsLeftAloneWhenAskedTo) {
  ContainerSpec spec;
  spec.health.emplace();
  EXPECT_EQ(created(spec)["Healthcheck"], json::object());
}

std::string too_new(const ContainerSpec& spec, int api_minor) {
  try {
    engine_json::refuse_newer_options(spec, api_minor);
  } catch (const EngineError& error) {
    return error.what();
  }
  return "";
}

TEST(EngineJsonCreate, WhatAnOldEngineWouldIgnoreIsRefusedByName) {
  struct Case {
    int minor;
    const char* option;
    void (*ask)(ContainerSpec&);
  };
  const Case cases[] = {
      {41, "cgroup", [](ContainerSpec& s) { s.cgroup = "host"; }},
      {41, "platform", [](ContainerSpec& s) { s.platform = "linux/amd64"; }},
      {43, "annotations", [](ContainerSpec& s) { s.annotations = {{"a", "b"}}; }},
      {44, "start_interval", [](ContainerSpec& s) { s.health = HealthCheck{.start_interval = 1}; }},
      {44, "mac_address",
       [](ContainerSpec& s) { s.networks = {{.network = "n", .mac_address = "m"}}; }},
      {45, "subpath",
       [](ContainerSpec& s) { s.mounts = {{.target = "/t", .volume = true, .subpath = "x"}}; }}};
  for (const Case& one : cases) {
    ContainerSpec spec;
    one.ask(spec);
    EXPECT_EQ(too_new(spec, one.minor), "") << one.option;
    EXPECT_NE(too_new(spec, one.minor - 1).find(one.option), std::string::npos) << one.option;
  }
}

TEST(EngineJsonCreate, WhatASpecLeavesOpenIsLeftToTheEngineButNotTheGuards) {
  ContainerSpec spec;
  spec.image = "i";
  EXPECT_EQ(created(spec), json::parse(R"({
    "Image": "i", "Env": ["NVIDIA_VISIBLE_DEVICES=void"], "Labels": {}, "Healthcheck": {"Test": ["NONE"]},
    "AttachStdin": false, "AttachStdout": true, "AttachStderr": true, "OpenStdin": false, "StdinOnce": false,
    "Tty": false,
    "HostConfig": {"AutoRemove": false, "RestartPolicy": {"Name": "no"}, "Init": true, "ReadonlyRootfs": false,
      "Privileged": false, "LogConfig": {"Type": "json-file", "Config": {"max-size": "50m", "max-file": "3"}}}})"));
}

TEST(EngineJsonCreate, EmptyEntrypointIsSaidAndAnUnsetOneIsNot) {
  ContainerSpec spec;
  EXPECT_FALSE(created(spec).contains("Entrypoint"));
  spec.entrypoint.emplace();
  EXPECT_EQ(created(spec)["Entrypoint"], json::array());
}

TEST(EngineJsonCreate, ArgumentsThatTheKernelWouldRefuseAreRefusedFirst) {
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

TEST(EngineJsonCreate, BytesThatAreNotUtf8AreRefused) {
  ContainerSpec spec;
  spec.env = {"A=\xff"};
  EXPECT_EQ(refused_with(spec), 400);
}

}  // namespace
}  // namespace container
