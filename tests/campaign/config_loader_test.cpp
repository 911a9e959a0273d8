#include "tests/campaign/config_folder.hpp"

namespace campaign {
namespace {

const std::string small = R"(name: Zstd-levels
axes: {level: [1, 9, 19]}
runner: {type: local, command: [zstd, -qf, "-{p.level}", data.bin, -o, /dev/null]}
execution: {cycles: 20}
)";

TEST(Loader, SmallCampaignIsDecodedWithItsDefaults) {
  const Folder folder;
  const Campaign campaign = load(folder, small);
  EXPECT_EQ(campaign.name, "Zstd-levels");
  EXPECT_EQ(campaign.id, "zstd-levels");
  EXPECT_EQ(campaign.file, folder / "campaign.yaml");
  EXPECT_EQ(campaign.axes, Value::map({{"level", Value::list({Value::integer(1), Value::integer(9),
                                                              Value::integer(19)})}}));
  ASSERT_TRUE(campaign.runner);
  EXPECT_EQ(campaign.runner->type, RunnerType::local);
  EXPECT_EQ(campaign.runner->command,
            (Argv{"zstd", "-qf", "-{p.level}", "data.bin", "-o", "/dev/null"}));
  EXPECT_EQ(campaign.execution.cycles, 20);
  EXPECT_EQ(campaign.io.results_dir, folder / "results");
  EXPECT_EQ(campaign.io.state_dir, folder / ".state");
  EXPECT_EQ(campaign.io.min_free, std::int64_t{1} << 30);
}

TEST(Loader, DocumentDecodesToTheSameCampaign) {
  const Folder folder;
  folder.write("a.yaml", "x: 1\n");
  folder.write("b.yaml", "x: 2\n");
  folder.write("vars.env", "A=1\n");
  const Campaign campaign = load(folder, small + R"(configs: ["*.yaml"]
experiments: [{name: one, config: ./a.yaml}]
runners:
  b: {image: "x:${N}", volumes: ["./d:/d:ro", "named:/n"], env_file: vars.env, env: {A: "${HOME}"}}
vars: {v: 1.50}
set:
  size: "{vars.v}"
  count: "${N}"
  number: ${N}
)");
  const Campaign again = decode_campaign(campaign.document, campaign.file);
  EXPECT_EQ(again, campaign);
  const Campaign stored = decode_campaign(from_json(to_json(campaign.document)), campaign.file);
  EXPECT_EQ(stored, campaign);
  EXPECT_EQ(to_json(stored.document), to_json(campaign.document));
  EXPECT_EQ(campaign.configs, (std::vector{folder / "a.yaml", folder / "b.yaml"}));
  EXPECT_EQ(campaign.set.find("count")->kind(), Value::Kind::string);
  EXPECT_EQ(campaign.set.find("number")->kind(), Value::Kind::integer);
}

TEST(Loader, UnknownKeyNamesItsPlaceAndTheNearestOne) {
  const Folder folder;
  EXPECT_EQ(load_error(folder, small + "hook: {}\ncycles: 3\n"),
            "campaign.yaml:5:1: hook: unknown key; did you mean `hooks`?\n"
            "campaign.yaml:6:1: cycles: unknown key; did you mean `execution.cycles`?");
}

TEST(Set, GoesOverWhatTheFileSays) {
  const Folder folder;
  const Campaign campaign =
      load(folder, small + "set: {batch: 1}\n",
           {"execution.cycles=3", "execution.retries.oom=1", "axes.level=[1, 2]", "axes.a.b=[true]",
            "set.batch=\"8\"", "set.new.key=1.50", "runner.env.X=${N}", "group_by=backend",
            "io.min_free=2g", "vars.v=${N}"});
  EXPECT_EQ(campaign.execution.cycles, 3);
  EXPECT_EQ(campaign.execution.retries.by_class.at("oom"), 1);
  EXPECT_EQ(to_json(campaign.axes), R"({"level":[1,2],"a.b":[true]})");
  EXPECT_EQ(to_json(campaign.set), R"({"batch":"8","new.key":1.50})");
  EXPECT_EQ(campaign.runner->env.at("X"), "${N}");
  EXPECT_EQ(campaign.group_by, std::vector<std::string>{"backend"});
  EXPECT_EQ(campaign.io.min_free, std::int64_t{2} << 30);
  EXPECT_EQ(campaign.vars.find("v")->as_integer(), 7);
}

TEST(Set, FindsTheSpellingOfTheFileAndNamedRunners) {
  const Folder folder;
  const Campaign campaign =
      load(folder, R"(name: x
axes: {a: [1]}
execution: {n_cycles: 9}
backends: {v.1: {image: x}}
)",
           {"execution.cycles=3", "runners.v.1.pull=never", "runners.w.image=y"});
  EXPECT_EQ(campaign.execution.cycles, 3);
  EXPECT_EQ(campaign.runners.at("v.1").pull, PullPolicy::never);
  EXPECT_EQ(campaign.runners.at("w").image, "y");
}

TEST(Set, ErrorsNameTheOption) {
  const Folder folder;
  EXPECT_EQ(load_error(folder, small, {"execution.cylces=3"}),
            "--set: execution.cylces: unknown key; did you mean `cycles`?");
  EXPECT_EQ(load_error(folder, small, {"execution.cycles=many"}),
            "--set: execution.cycles: expected an integer from 1 to 10000, not \"many\"");
  EXPECT_EQ(load_error(folder, small, {"exec.cycles=3"}), "--set: exec.cycles: unknown key");
  EXPECT_EQ(load_error(folder, small, {"cycles"}), "--set: expected KEY=VALUE, not \"cycles\"");
  EXPECT_EQ(load_error(folder, small, {"=3"}), "--set: expected KEY=VALUE, not \"=3\"");
  EXPECT_EQ(load_error(folder, small, {"set.a=[1"}),
            "--set: set.a: a list or map stands where a key is expected; is a bracket not closed?");
  EXPECT_EQ(load_error(folder, small, {"name.x=3"}),
            "--set: name.x: `name` has no keys below it; give its whole value");
  EXPECT_EQ(load_error(folder, small, {"thermal.mode=off"}),
            "--set: thermal: `thermal` is not supported yet");
}

TEST(Loader, GivenDocumentIsTakenAsItIs) {
  const Value document = from_json(
      R"({"name":"x","axes":{"a":[1]},"runner":{"type":"local","command":["echo","${HOME} $$"]}})");
  const Campaign campaign = load_campaign({.path = "/nowhere/x.yaml",
                                           .sets = {"execution.cycles=2"},
                                           .environment = {},
                                           .document = document});
  EXPECT_EQ(campaign.runner->command.at(1), "${HOME} $$");
  EXPECT_EQ(campaign.execution.cycles, 2);
  EXPECT_EQ(campaign.folder, "/nowhere");
}

TEST(Loader, VariablesAreFilledInEverywhereButInEnv) {
  const Folder folder;
  const Campaign campaign = load(folder, R"(name: "x${N}"
axes: {a: [1]}
set: {text: "${TEXT}", quoted: "${N}"}
execution:
  cycles: ${N}
runner:
  type: local
  command: "echo ${TEXT:-x} $$HOME"
  env: {A: "${UNKNOWN:?needed}", B: "${N}", C: 1.50, D: true}
)");
  EXPECT_EQ(campaign.name, "x7");
  EXPECT_EQ(campaign.execution.cycles, 7);
  EXPECT_EQ(to_json(campaign.set), R"({"text":"some: text","quoted":"7"})");
  EXPECT_EQ(campaign.runner->command, (Argv{"echo", "some:", "text", "$HOME"}));
  EXPECT_EQ(campaign.runner->env,
            (std::map<std::string, std::string>{
                {"A", "${UNKNOWN:?needed}"}, {"B", "${N}"}, {"C", "1.50"}, {"D", "true"}}));
}

TEST(Loader, RunnerKeysAreDecoded) {
  const Folder folder;
  const Campaign campaign = load(folder, R"(name: x
axes: {a: [1]}
runner:
  image: "img:{p.a}"
  command: run --flag "a b" {p.a?--a}
  volumes: ["./data:/data:ro", "cache:/cache", "/abs:/abs:rw", "{exchange}/x:/y"]
  tmpfs: [/tmp, "/run:size=1m"]
  ulimits: {nofile: {soft: 10, hard: 20}, memlock: -1}
  memory: 1.5g
  shm_size: 64MiB
  timeout: 1h30m
  stop_grace_period: 500ms
)");
  const Runner& runner = *campaign.runner;
  EXPECT_EQ(runner.command, (Argv{"run", "--flag", "a b", "{p.a?--a}"}));
  EXPECT_EQ(runner.volumes, (std::vector<Volume>{{folder / "data", "/data", true},
                                                 {"cache", "/cache", false},
                                                 {"/abs", "/abs", false},
                                                 {"{exchange}/x", "/y", false}}));
  EXPECT_EQ(runner.tmpfs, (std::map<std::string, std::string>{{"/tmp", ""}, {"/run", "size=1m"}}));
  EXPECT_EQ(runner.ulimits, (std::vector<Ulimit>{{"nofile", 10, 20}, {"memlock", -1, -1}}));
  EXPECT_EQ(*runner.memory, 1610612736);
  EXPECT_EQ(*runner.shm_size, 67108864);
  EXPECT_EQ(runner.timeout, 5400);
  EXPECT_TRUE(runner.timeout_written);
  EXPECT_EQ(runner.stop_grace_period, 0.5);
}

TEST(Loader, ShellCommandStaysOneText) {
  const Folder folder;
  const Campaign campaign =
      load(folder,
           "name: x\naxes: {a: [1]}\nrunner: {type: local, shell: true, command: \"a 'b && c\"}\n");
  EXPECT_EQ(campaign.runner->command, Argv{"a 'b && c"});
  EXPECT_TRUE(campaign.warnings.empty());
}

TEST(Loader, WarningsCarryTheirPlace) {
  const Folder folder;
  const Campaign campaign = load(folder, R"(name: x
axes: {a: [1]}
runner: {type: local, command: "a && b {result}"}
execution: {structure: interleaved, cycle_gap_seconds: 5m, config_gap_seconds: 60}
)");
  ASSERT_EQ(campaign.warnings.size(), 3u);
  EXPECT_EQ(
      folder.relative(campaign.warnings[0]),
      "campaign.yaml:3:32: runner.command: {result} is left as it is; did you mean `{results}`?");
  EXPECT_EQ(folder.relative(campaign.warnings[1]),
            "campaign.yaml:3:32: runner.command: `&&` is handed on as a word; for a shell command "
            "say `shell: true`");
  EXPECT_TRUE(folder.relative(campaign.warnings[2])
                  .starts_with("campaign.yaml:4:12: execution: `interleaved` with"));
}

TEST(Loader, RunnerOfABackendGoesBeforeTheCommonOne) {
  const Folder folder;
  const Campaign both = load(folder, small + "runners: {b: {image: x}}\n");
  EXPECT_EQ(runner_for(both, "b")->image, "x");
  EXPECT_EQ(runner_for(both, "other"), &*both.runner);
  const Campaign one = load(folder, "name: x\naxes: {a: [1]}\nrunners: {b: {image: x}}\n");
  EXPECT_EQ(runner_for(one, "other"), nullptr);
}

TEST(Loader, ExperimentConfigIsTheUsersOwnButForWhatComesLater) {
  const Folder folder;
  const auto read = [&](const std::string& text) {
    return load_document(folder.write("e.yaml", text), fixed_environment());
  };
  EXPECT_EQ(to_json(read("anything: {goes: [1.50, \"${N}\"]}\nmodel: x\ngpus: [0]\n")),
            R"({"anything":{"goes":[1.50,"7"]},"model":"x","gpus":[0]})");
  EXPECT_EQ(error_of(folder, [&] { read("_extends: a.yaml\npreset: fast\n"); }),
            "e.yaml:1:1: _extends: `_extends` is not supported yet\n"
            "e.yaml:2:1: preset: `preset` is not supported yet");
  EXPECT_EQ(error_of(folder, [&] { read("[1]"); }),
            "e.yaml:1:1: expected a map of keys, not a list");
  EXPECT_EQ(error_of(folder, [&] { read(""); }), "e.yaml: expected a map of keys, not nothing");
}

TEST(Loader, SeedTakesAll64Bits) {
  const Folder folder;
  const std::string head =
      "name: x\naxes: {a: [1]}\nrunner: {type: local, command: a}\nexecution: {seed: ";
  EXPECT_EQ(*load(folder, head + "18446744073709551615}\n").execution.seed, 18446744073709551615u);
  EXPECT_EQ(*load(folder, head + "0}\n").execution.seed, 0u);
}

}  // namespace
}  // namespace campaign
