#include "controller/runners/payload.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "controller/runners/runner.hpp"
#include "tests/support/controller/bench.hpp"

namespace controller::test {
namespace {

using campaign::FailureClass;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string with(const std::string& runner, const std::string& top = "") {
  return "name: My-Name\ngpus: none\nset: {level: 3, flag: true}\nvars: {tool: "
         "hammer}\nexperiments: [{name: one}]\n" +
         top + "runner: {type: local, " + runner + "}\n";
}

Payload resolved(const std::string& text) {
  const Bench bench(text);
  const AttemptPtr attempt = bench.attempt();
  return resolve_payload(bench.payload(), *attempt, container_view(*attempt));
}

struct Refusal {
  FailureClass cls = FailureClass::none;
  std::string text;
};

Refusal refused(const Bench& bench) {
  const AttemptPtr attempt = bench.attempt();
  try {
    resolve_payload(bench.payload(), *attempt, container_view(*attempt));
  } catch (const PrepareError& error) {
    return {error.cls, error.what()};
  }
  return {};
}

TEST(ResolvePayload, PlaceholdersAreFilledIn) {
  const Payload payload = resolved(
      with("command: [x, '{p.level}', '{p.flag?--flag}', '{vars.tool}', '{config}', '{results}', "
           "'{metrics}', '{run_id}', "
           "'{experiment}', '{campaign}', '{cycle}', '{attempt}', '<{gpus}>', '{other}']"));
  EXPECT_THAT(payload.command,
              ElementsAre("x", "3", "--flag", "true", "hammer", "/campaign/config.yaml",
                          "/campaign/results", "/campaign/results/metrics.jsonl", "one.c01", "one",
                          "my-name", "1", "1", "<>", "{other}"));
}

TEST(ResolvePayload, HostViewHasHostPaths) {
  const Bench bench(with("command: ['{config}', '{results}']"));
  const AttemptPtr attempt = bench.attempt();
  const Payload payload = resolve_payload(bench.payload(), *attempt, host_view(*attempt));
  EXPECT_EQ(payload.command.at(0), (attempt->paths.ctl / "config.yaml").string());
  EXPECT_EQ(payload.env.at("CAMPAIGN_RESULTS_DIR"), attempt->paths.results.string());
  EXPECT_EQ(payload.env.at("CAMPAIGN_METRICS_FILE"),
            attempt->paths.results.string() + "/metrics.jsonl");
}

TEST(ResolvePayload, ExchangeIsTheHostFolderThatIsCampaignInside) {
  const Bench bench(with("command: [x], launch: [enter, '{exchange}:/campaign']"));
  const AttemptPtr attempt = bench.attempt();
  const Payload payload = resolve_payload(bench.payload(), *attempt, container_view(*attempt));
  EXPECT_THAT(payload.launch,
              ElementsAre("enter", (attempt->paths.ctl / "exchange").string() + ":/campaign"));
}

TEST(ResolvePayload, VariablesAreFilledInAndOursWin) {
  const Payload payload =
      resolved(with("command: [x], env: {A: '${GIVEN}', B: '${ABSENT:-other}', C: '{run_id}', D: "
                    "'$${GIVEN}', CAMPAIGN_ID: mine}"));
  EXPECT_EQ(payload.env.at("A"), "given value");
  EXPECT_EQ(payload.env.at("B"), "other");
  EXPECT_EQ(payload.env.at("C"), "one.c01");
  EXPECT_EQ(payload.env.at("D"), "${GIVEN}");
  EXPECT_EQ(payload.env.at("CAMPAIGN_ID"), "my-name");
  EXPECT_EQ(payload.env.at("CAMPAIGN_NAME"), "My-Name");
  EXPECT_FALSE(payload.env.contains("LEM_CYCLE"));
}

TEST(ResolvePayload, MissingVariableIsNamed) {
  const Refusal refusal = refused(Bench(with("command: [x], env: {A: '${NOT_THERE}'}")));
  EXPECT_EQ(refusal.cls, FailureClass::config);
  EXPECT_THAT(refusal.text, HasSubstr("NOT_THERE"));
  EXPECT_THAT(refused(Bench(with("command: [x], env: {A: '${NOT_THERE:?set it first}'}"))).text,
              HasSubstr("set it first"));
}

TEST(ResolvePayload, LemVariablesStandBesideOurs) {
  const Payload payload =
      resolved(with("command: [x], env_compat: lem", "execution: {cycles: 4}\n"));
  EXPECT_EQ(payload.env.at("LEM_CAMPAIGN_ID"), "my-name");
  EXPECT_EQ(payload.env.at("LEM_CAMPAIGN_NAME"), "My-Name");
  EXPECT_EQ(payload.env.at("LEM_CYCLE"), "1");
  EXPECT_EQ(payload.env.at("LEM_TOTAL_CYCLES"), "4");
  EXPECT_EQ(payload.env.at("LLM_ENERGY_RESULTS_DIR"), "/campaign/results");
}

TEST(ResolvePayload, ShellGetsOneText) {
  EXPECT_THAT(resolved(with("shell: true, command: 'echo \"a  b\" | cat'")).command,
              ElementsAre("/bin/sh", "-c", "echo \"a  b\" | cat"));
}

TEST(ResolvePayload, WarmupTimeoutIsAPlainNumber) {
  EXPECT_EQ(resolved(with("command: [x]", "execution: {warmup_timeout_seconds: 90}\n"))
                .env.at("CAMPAIGN_WARMUP_TIMEOUT"),
            "90");
  EXPECT_EQ(resolved(with("command: [x]", "execution: {warmup_timeout_seconds: 0.25}\n"))
                .env.at("CAMPAIGN_WARMUP_TIMEOUT"),
            "0.25");
  EXPECT_FALSE(resolved(with("command: [x]")).env.contains("CAMPAIGN_WARMUP_TIMEOUT"));
}

class EnvFile : public ::testing::Test {
 protected:
  EnvFile() : file_(testing::TempDir() + "env-file-" + std::to_string(getpid())) {}
  ~EnvFile() override { std::filesystem::remove(file_); }
  std::string file_;
};

TEST_F(EnvFile, LinesAreNamesAndValuesAsTheyStand) {
  std::ofstream(file_, std::ios::binary) << "# no\n\nA=x=y z\nB=file\nC=\nD='q' ${GIVEN}\n";
  const Payload payload =
      resolved(with("command: [x], env_file: ['" + file_ + "'], env: {B: written}"));
  EXPECT_EQ(payload.env.at("A"), "x=y z");
  EXPECT_EQ(payload.env.at("B"), "written");
  EXPECT_EQ(payload.env.at("C"), "");
  EXPECT_EQ(payload.env.at("D"), "'q' ${GIVEN}");
}

TEST_F(EnvFile, BadLineIsNamedWithItsNumber) {
  std::ofstream(file_, std::ios::binary) << "A=1\nnonsense\n";
  const Refusal refusal = refused(Bench(with("command: [x], env_file: ['" + file_ + "']")));
  EXPECT_EQ(refusal.cls, FailureClass::config);
  EXPECT_EQ(refusal.text, file_ + ":2: expected NAME=value");
}

TEST_F(EnvFile, FileThatWentAwayIsNamed) {
  std::ofstream(file_, std::ios::binary) << "A=1\n";
  const Bench bench(with("command: [x], env_file: ['" + file_ + "']"));
  std::filesystem::remove(file_);
  EXPECT_EQ(refused(bench).text, "env_file " + file_ + " cannot be read");
}

TEST_F(EnvFile, VariableBeyondTheKernelsLimitIsRefusedByName) {
  std::ofstream(file_, std::ios::binary) << "BIG=" << std::string(131066, 'x') << "\n";
  EXPECT_EQ(refused(Bench(with("command: [x], env_file: ['" + file_ + "']"))).cls,
            FailureClass::none);
  std::ofstream(file_, std::ios::binary) << "BIG=" << std::string(131067, 'x') << "\n";
  EXPECT_THAT(refused(Bench(with("command: [x], env_file: ['" + file_ + "']"))).text,
              HasSubstr("env.BIG is longer than"));
}

TEST_F(EnvFile, AllTogetherBeyondTheKernelsLimitIsRefused) {
  std::ofstream out(file_, std::ios::binary);
  for (int i = 0; i < 20; ++i) out << "BIG" << i << "=" << std::string(100000, 'x') << "\n";
  out.close();
  EXPECT_THAT(refused(Bench(with("command: [x], env_file: ['" + file_ + "']"))).text,
              HasSubstr("larger than 1.9 MB together"));
}

TEST(ResolvePayload, ArgumentBeyondTheKernelsLimitIsRefused) {
  const Refusal refusal = refused(Bench(with("command: [x, " + std::string(131072, 'a') + "]")));
  EXPECT_EQ(refusal.cls, FailureClass::config);
  EXPECT_THAT(refusal.text, HasSubstr("an argument of the command is longer than"));
}

}  // namespace
}  // namespace controller::test
