// Resource and security fields of a docker runner, checked on the container while it runs or from
// inside of it.
#include <gmock/gmock.h>

#include "tests/support/controller/runner_keys.hpp"

namespace controller::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using nlohmann::json;

TEST_F(RunnerKeys, ResourceLimitsReachTheEngine) {
  run_.make_fifo("up");
  run_.make_fifo("go");
  run_.write("campaign.yaml", campaign({.keys = R"(network: none
volumes: [".:/v"]
tmpfs: ["/scratch:size=1m"]
shm_size: 33m
ulimits: {nofile: {soft: 1000, hard: 2000}, core: 0}
cpus: 0.5
cpuset_cpus: "0"
memory: 96m
pids_limit: 50
ipc: private
stop_grace_period: 3)",
                                        .script = "echo up > /v/up; read line < /v/go"}));
  run_.start({"up", "campaign.yaml"});
  run_.await_line("up");
  const json host = inspected().at("HostConfig");
  run_.send_line("go");
  EXPECT_EQ(run_.finish().code, 0);
  EXPECT_EQ(host.at("NetworkMode"), "none");
  EXPECT_EQ(host.at("Tmpfs"), json({{"/scratch", "size=1m"}}));
  EXPECT_EQ(host.at("ShmSize"), 33 << 20);
  EXPECT_EQ(host.at("NanoCpus"), 500'000'000);
  EXPECT_EQ(host.at("CpusetCpus"), "0");
  EXPECT_EQ(host.at("Memory"), 96 << 20);
  EXPECT_EQ(host.at("PidsLimit"), 50);
  EXPECT_EQ(host.at("IpcMode"), "private");
  EXPECT_EQ(host.at("AutoRemove"), false);
  EXPECT_EQ(host.at("RestartPolicy").at("Name"), "no");
  EXPECT_EQ(host.at("Privileged"), false);
  EXPECT_THAT(host.at("Ulimits").dump(), HasSubstr(R"({"Hard":2000,"Name":"nofile","Soft":1000})"));
  EXPECT_THAT(host.at("Ulimits").dump(), HasSubstr(R"({"Hard":0,"Name":"core","Soft":0})"));
}

TEST_F(RunnerKeys, LimitsHoldInside) {
  const std::string out = output_of({.keys = R"(network: none
tmpfs: ["/scratch:size=1m"]
shm_size: 33m
ulimits: {nofile: 1234}
cpuset_cpus: "0"
pids_limit: 50)",
                                     .script = R"(ulimit -n
grep Cpus_allowed_list /proc/self/status
df -k /dev/shm | tail -1
df -k /scratch | tail -1
ls /sys/class/net)"});
  EXPECT_THAT(out, HasSubstr("1234\n"));
  EXPECT_THAT(out, HasSubstr("Cpus_allowed_list:\t0\n"));
  EXPECT_THAT(out, HasSubstr(" 33792 "));
  EXPECT_THAT(out, HasSubstr(" 1024 "));
  EXPECT_THAT(out, HasSubstr("lo\n"));
  EXPECT_THAT(out, Not(HasSubstr("eth0")));
}

TEST_F(RunnerKeys, WrittenNetworkAndIpcAreTheHosts) {
  const std::string out =
      output_of({.keys = "network: host\nipc: host",
                 .script = "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc"});
  const auto ours = [](const std::string& name) {
    return std::filesystem::read_symlink("/proc/self/ns/" + name).string();
  };
  EXPECT_EQ(out, ours("net") + "\n" + ours("ipc") + "\n");
}

TEST_F(RunnerKeys, MemoryLimitEndsTheRunAsOom) {
  const Ended ended = run_.up(
      campaign({.keys = "network: none\nmemory: 16m\ncommand: [/bin/sh, -c, 'exec tail /dev/zero']",
                .script = ""}));
  EXPECT_EQ(ended.code, 1) << ended.output;
  const json record = run_.failed("one.c01.a1");
  EXPECT_EQ(record.at("class"), "oom") << record.dump(1);
  EXPECT_EQ(record.at("oom_killed"), true);
}

TEST_F(RunnerKeys, RightsReachTheEngineAndThePayload) {
  const std::string out = output_of({.keys = R"(network: none
user: "0:0"
cap_drop: [ALL]
cap_add: [NET_RAW]
security_opt: [no-new-privileges]
read_only: true
init: false)",
                                     .script = R"(grep -E 'CapEff|NoNewPrivs' /proc/self/status
touch /file 2>/dev/null || echo read-only
touch /campaign/results/file && echo results
cat /proc/1/cmdline | tr '\0' ' ')"});
  EXPECT_THAT(out, HasSubstr("CapEff:\t0000000000002000\n"));
  EXPECT_THAT(out, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(out, HasSubstr("read-only\nresults\n"));
  EXPECT_THAT(out, HasSubstr("/campaign/launch --run one.c01.a1 "));
}

TEST_F(RunnerKeys, InitIsTheDefaultAndPrivilegedIsNot) {
  const std::string out = output_of({.keys = "network: none\nuser: image",
                                     .script = "cat /proc/1/comm; grep CapEff /proc/self/status"});
  EXPECT_THAT(out, HasSubstr("docker-init\n"));
  EXPECT_THAT(out, HasSubstr("CapEff:\t00000000a80425fb\n"));
}

}  // namespace
}  // namespace controller::test
