// Users, mounts and the environment of a docker runner, as the payload finds them.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/controller/runner_keys.hpp"

namespace controller::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
  bool operator==(const Owner&) const = default;
};

Owner owner_of(const std::filesystem::path& file) {
  struct stat status{};
  if (stat(file.c_str(), &status) != 0) ADD_FAILURE() << file << " is not there";
  return {status.st_uid, status.st_gid};
}

constexpr char who[] = R"(id -u; id -g; id -un; whoami
touch $HOME/file $CAMPAIGN_RESULTS_DIR/file && echo wrote
mkdir -p $XDG_CACHE_HOME/x && echo cached
echo "$HOME $USER")";

TEST_F(RunnerKeys, HostUserIsTheCallerWithAHomeAndAName) {
  const std::string out = output_of({.keys = "network: none", .script = who});
  const std::string ids = std::to_string(getuid()) + "\n" + std::to_string(getgid()) + "\n";
  EXPECT_THAT(out, testing::StartsWith(ids));
  EXPECT_THAT(out, HasSubstr("wrote\ncached\n/campaign/home "));
  EXPECT_EQ(owner_of(run_.results() / "raw/one.c01/file"), (Owner{getuid(), getgid()}));
}

TEST_F(RunnerKeys, CallerWhoIsNotRootHasANameInside) {
  if (geteuid() != 0) GTEST_SKIP() << "the tests run as another user than root anyway";
  struct stat socket{};
  if (endpoint_.kind != container::Endpoint::Kind::unix_socket ||
      stat(endpoint_.path.c_str(), &socket) != 0)
    GTEST_SKIP() << "the engine is not behind a local socket";
  ASSERT_EQ(chown(run_.folder().c_str(), 12345, 12345), 0);
  run_.set_prefix({"setpriv", "--reuid", "12345", "--regid", "12345", "--groups",
                   std::to_string(socket.st_gid)});
  const std::string out =
      output_of({.keys = "network: none", .script = std::string(who) + "\ngrep 12345 /etc/passwd"});
  EXPECT_THAT(out,
              testing::StartsWith(
                  "12345\n12345\ncampaign\ncampaign\nwrote\ncached\n/campaign/home campaign\n"));
  EXPECT_THAT(out, HasSubstr("campaign:x:12345:12345::/campaign/home:/bin/sh\n"));
  EXPECT_EQ(owner_of(run_.results() / "raw/one.c01/file"), (Owner{12345, 12345}));
}

TEST_F(RunnerKeys, WrittenUserIsTheirs) {
  const std::string out = output_of(
      {.keys = "network: none\nuser: \"4321:1234\"",
       .script = "id -u; id -g; touch $CAMPAIGN_RESULTS_DIR/file && cat $CAMPAIGN_CONFIG"});
  EXPECT_THAT(out, testing::StartsWith("4321\n1234\n{}\n"));
  EXPECT_EQ(owner_of(run_.results() / "raw/one.c01/file"), (Owner{4321, 1234}));
}

TEST_F(RunnerKeys, ImageUserKeepsTheImagesHome) {
  const std::string out =
      output_of({.keys = "network: none\nuser: image", .script = "id -u; echo $HOME"});
  EXPECT_EQ(out, "0\n/root\n");
}

TEST_F(RunnerKeys, VolumesAreMountedAsWritten) {
  run_.write("in/data", "input\n");
  const std::string out = output_of({.keys = R"(network: none
volumes: ["./in:/in:ro", "./made/{experiment}:/made", "campaignctl-test-volume:/named"])",
                                     .script = R"(cat /in/data
touch /in/x 2>/dev/null || echo read-only
touch /made/x /named/y && echo both)"});
  std::system(("docker -H " + endpoint_.text() + " volume rm -f campaignctl-test-volume >/dev/null")
                  .c_str());
  EXPECT_EQ(out, "input\nread-only\nboth\n");
  EXPECT_EQ(owner_of(run_.folder() / "made/one"), (Owner{getuid(), getgid()}));
  EXPECT_TRUE(std::filesystem::exists(run_.folder() / "made/one/x"));
}

TEST_F(RunnerKeys, EnvironmentIsTheFilesThenTheWrittenThenOurs) {
  run_.write("vars.env", "# comment\nA=file\nB=file\n\nCAMPAIGN_ID=theirs\nD=a=b c\n");
  run_.set_environment("FROM_OUTSIDE", "outside value");
  const std::string out = output_of({.keys = R"(network: none
workdir: /tmp
env_file: [vars.env]
env: {B: written, C: "${FROM_OUTSIDE}", E: "${ABSENT:-fallback}", F: "{run_id} {p.level}"}
env_compat: lem)",
                                     .script = R"(echo "$A|$B|$C|$D|$E|$F|$CAMPAIGN_ID"
echo "$LEM_CAMPAIGN_ID $LEM_CAMPAIGN_NAME $LEM_CYCLE $LEM_TOTAL_CYCLES $LLM_ENERGY_RESULTS_DIR"
pwd; readlink /proc/self/fd/0)",
                                     .top = "set: {level: 3}\nexecution: {cycles: 1}\n"});
  EXPECT_EQ(out,
            "file|written|outside value|a=b c|fallback|one.c01 3|k\n"
            "k k 1 1 /campaign/results\n/tmp\n/dev/null\n");
  EXPECT_THAT(run_.read(".state/k/latest/campaign_manifest.json"), Not(HasSubstr("outside value")));
}

TEST_F(RunnerKeys, CampaignVariablesSayWhatTheRunIs) {
  const std::string out = output_of(
      {.keys = "network: none",
       .script = "env | grep ^CAMPAIGN_ | grep -v SESSION | sort",
       .top = "execution: {cycles: 1, warmup_prompts: 7, warmup_timeout_seconds: 1.5}\n"});
  EXPECT_EQ(
      out,
      "CAMPAIGN_ATTEMPT=1\nCAMPAIGN_CONFIG=/campaign/"
      "config.yaml\nCAMPAIGN_CYCLE=1\nCAMPAIGN_EXPERIMENT=one\n"
      "CAMPAIGN_ID=k\nCAMPAIGN_METRICS_FILE=/campaign/results/metrics.jsonl\nCAMPAIGN_NAME=k\n"
      "CAMPAIGN_PHASE=measure\nCAMPAIGN_RESULTS_DIR=/campaign/results\nCAMPAIGN_RUN_ID=one.c01\n"
      "CAMPAIGN_TOTAL_CYCLES=1\nCAMPAIGN_WARMUP_PROMPTS=7\nCAMPAIGN_WARMUP_TIMEOUT=1.5\n");
}

TEST_F(RunnerKeys, VariableThatIsNotSetIsNamedAndNothingIsRetried) {
  const Ended ended = run_.up(campaign({.keys = "network: none\nenv: {X: \"${NOBODY_SETS_THIS}\"}",
                                        .script = "true",
                                        .top = "execution: {cycles: 3}\n"}));
  EXPECT_EQ(ended.code, 1) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("NOBODY_SETS_THIS"));
  EXPECT_EQ(run_.failed("one.c01.a1").at("class"), "config");
}

TEST_F(RunnerKeys, EntrypointReplacesTheImages) {
  const Ended ended = run_.up(campaign(
      {.keys = "network: none\nentrypoint: [/bin/echo, first]\ncommand: [\"{run_id}\", \"a b\"]",
       .script = ""}));
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_EQ(run_.result("one.c01", "stdout.log"), "first one.c01 a b\n");
}

TEST_F(RunnerKeys, EmptyEntrypointAndNoCommandRunTheImagesCommand) {
  const Ended ended = run_.up(campaign({.keys = "network: none", .script = ""}));
  EXPECT_EQ(ended.code, 0)
      << ended.output;  // the image's command is a shell, which ends at the end of its input
}

TEST_F(RunnerKeys, MissingCommandIsAConfigFailureWithItsName) {
  const Ended ended = run_.up(campaign({.keys = "network: none\ncommand: [no-such-program]",
                                        .script = "",
                                        .top = "execution: {cycles: 4}\n"}));
  EXPECT_EQ(ended.code, 1) << ended.output;
  EXPECT_EQ(run_.failed("one.c01.a1").at("class"), "config");
  EXPECT_THAT(ended.output, HasSubstr("no-such-program"));
  EXPECT_THAT(ended.output, HasSubstr("3 runs are skipped (config)"));
}

}  // namespace
}  // namespace controller::test
