// Networks, volumes, execs and files of containers on the engine of this machine.
#include "container/tar.hpp"
#include "tests/support/container/real_engine.hpp"

namespace container::test {
namespace {

class RealEngineObjects : public RealEngine {
 protected:
  std::string network(const std::string& suffix) {
    return loop().run(engine().networks().create({.name = unique_ + suffix, .labels = labels()}));
  }
  std::map<std::string, std::string> labels() const { return {{"campaignctl.test", unique_}}; }
  std::string running(const ContainerSpec& spec) {
    const auto id = create(spec);
    loop().run(engine().start(id));
    return id;
  }
  ExecState ended_exec(const std::string& exec) {
    return loop().run([](Engine& engine, const std::string& id) -> Task<ExecState> {
      for (;;) {
        const auto state = co_await engine.execs().inspect(id);
        if (!state.running && state.exit_code) co_return state;
        co_await sleep_for(0.005);
      }
    }(engine(), exec));
  }
  template <class Verb>
  int refused(Verb verb) {
    try {
      loop().run(verb());
    } catch (const EngineError& error) {
      return error.status;
    }
    return 0;
  }
};

TEST_F(RealEngineObjects, NetworksAreMadeFoundAndRemoved) {
  const auto id = network("");
  const NetworkSpec again{.name = unique_};
  EXPECT_EQ(refused([&] { return engine().networks().create(again); }), 409);
  const auto found = loop().run(engine().networks().list(labels()));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].id, id);
  EXPECT_EQ(loop().run(engine().networks().inspect(unique_)).labels, labels());
  loop().run(engine().networks().remove(id));
  EXPECT_NO_THROW(loop().run(engine().networks().remove(id)));
  EXPECT_EQ(refused([&] { return engine().networks().inspect(id); }), 404);
}

TEST_F(RealEngineObjects, AContainerIsInAllItsNetworksUnderItsAliases) {
  const auto first = network("-a"), second = network("-b");
  auto spec = shell("sleep 60");
  spec.network = "";
  spec.networks = {{.network = unique_ + "-a", .aliases = {"db"}},
                   {.network = unique_ + "-b", .aliases = {"store"}}};
  const auto id = running(spec);
  const auto state = loop().run(engine().inspect(id));
  ASSERT_EQ(state.networks.size(), 2u);
  EXPECT_EQ(state.networks.at(unique_ + "-a").network_id, first);
  EXPECT_FALSE(state.networks.at(unique_ + "-b").address.empty());
  const auto& aliases = state.networks.at(unique_ + "-b").aliases;
  EXPECT_NE(std::find(aliases.begin(), aliases.end(), "store"), aliases.end());
  EXPECT_EQ(loop().run(engine().networks().inspect(second)).containers,
            std::vector<std::string>{id});
  EXPECT_EQ(refused([&] { return engine().networks().remove(second); }), 403);
  loop().run(engine().networks().disconnect(second, id));
  EXPECT_EQ(loop().run(engine().inspect(id)).networks.size(), 1u);
}

TEST_F(RealEngineObjects, VolumesAreMadeFoundAndRemoved) {
  const auto made = loop().run(engine().volumes().create({.name = unique_, .labels = labels()}));
  EXPECT_EQ(made.name, unique_);
  EXPECT_EQ(loop().run(engine().volumes().list(labels())).size(), 1u);
  auto spec = shell("touch /v/x; sleep 60");
  spec.mounts = {{.source = unique_, .target = "/v", .volume = true}};
  const auto id = running(spec);
  EXPECT_EQ(refused([&] { return engine().volumes().remove(unique_); }), 409);
  const auto state = loop().run(engine().inspect(id));
  ASSERT_EQ(state.mounts.size(), 1u);
  EXPECT_EQ(state.mounts[0].name, unique_);
  loop().run(engine().remove(id, true));
  loop().run(engine().volumes().remove(unique_));
  EXPECT_EQ(refused([&] { return engine().volumes().inspect(unique_); }), 404);
}

TEST_F(RealEngineObjects, AnAttachedExecGivesItsOutputAndCode) {
  const auto id = running(shell("sleep 60"));
  const ExecSpec spec{.command = {"/bin/sh", "-c", "echo out $K; echo err >&2; exit 7"},
                      .env = {"K=V"},
                      .user = "0:0",
                      .working_dir = "/",
                      .output = true};
  const auto exec = loop().run(engine().execs().create(id, spec));
  const auto stream = loop().run(engine().execs().start_attached(exec));
  const auto output = loop().run(collect(*stream));
  EXPECT_EQ(output.out, "out V\n");
  EXPECT_EQ(output.err, "err\n");
  EXPECT_EQ(ended_exec(exec).exit_code, 7);
  EXPECT_EQ(refused([&] { return engine().execs().start_detached(exec); }), 409);
}

TEST_F(RealEngineObjects, AnExecReadsItsInputToTheEnd) {
  const auto id = running(shell("sleep 60"));
  const ExecSpec spec{.command = {"/bin/sh", "-c", "while read l; do echo got $l; done; echo end"},
                      .output = true,
                      .input = true};
  const auto exec = loop().run(engine().execs().create(id, spec));
  const auto stream = loop().run(engine().execs().start_interactive(exec, spec));
  loop().run(stream->write("one\n"));
  const auto first = loop().run(stream->next());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->data, "got one\n");
  loop().run(stream->write("two\n"));
  stream->close_input();
  EXPECT_EQ(loop().run(collect(*stream)).out, "got two\nend\n");
  EXPECT_EQ(ended_exec(exec).exit_code, 0);
}

TEST_F(RealEngineObjects, AnExecWithATerminalHasTheSizeThatItIsGiven) {
  const auto id = running(shell("sleep 60"));
  const ExecSpec spec{.command = {"/bin/sh", "-c", "read l; stty size; test -t 0 && test -t 1"},
                      .output = true,
                      .input = true,
                      .terminal = true};
  const auto exec = loop().run(engine().execs().create(id, spec));
  const auto stream = loop().run(engine().execs().start_interactive(exec, spec));
  while (!loop().run(engine().execs().inspect(exec)).running) loop().run(sleep_for(0.002));
  loop().run(engine().execs().resize(exec, {.rows = 33, .columns = 101}));
  loop().run(stream->write("go\n"));
  const auto said = loop().run(collect(*stream));
  EXPECT_NE(said.out.find("33 101"), std::string::npos) << said.out;
  EXPECT_EQ(said.err, "");
  EXPECT_EQ(ended_exec(exec).exit_code, 0);
}

TEST_F(RealEngineObjects, ADetachedExecIsListedWhileItRuns) {
  const auto id = running(shell("sleep 60"));
  const ExecSpec spec{.command = {"/bin/sleep", "60"}};
  const auto exec = loop().run(engine().execs().create(id, spec));
  loop().run(engine().execs().start_detached(exec));
  EXPECT_EQ(loop().run(engine().inspect(id)).execs, std::vector<std::string>{exec});
  const auto state = loop().run(engine().execs().inspect(exec));
  EXPECT_TRUE(state.running);
  EXPECT_FALSE(state.exit_code);
  EXPECT_GT(state.pid, 0);
  EXPECT_EQ(state.arguments, (std::vector<std::string>{"/bin/sleep", "60"}));
}

TEST_F(RealEngineObjects, ADetachedExecOfAMissingCommandIsRefused) {
  const auto id = running(shell("sleep 60"));
  const ExecSpec spec{.command = {"/no/such/program"}};
  const auto exec = loop().run(engine().execs().create(id, spec));
  EXPECT_EQ(refused([&] { return engine().execs().start_detached(exec); }), 400);
}

TEST_F(RealEngineObjects, NoExecInAContainerThatDoesNotRun) {
  const auto id = create(shell("true"));
  const ExecSpec spec{.command = {"true"}};
  EXPECT_EQ(refused([&] { return engine().execs().create(id, spec); }), 409);
}

TEST_F(RealEngineObjects, FilesArePutBeforeTheStart) {
  const auto id = create(shell("cat /tmp/a; stat -c %a /tmp/a"));
  loop().run(engine().put_archive(id, "/tmp",
                                  make_tar({{.path = "a", .content = "content\n", .mode = 0440}})));
  const auto output = loop().run(engine().attach(id));
  loop().run(engine().start(id));
  EXPECT_EQ(loop().run(collect(*output)).out, "content\n440\n");
}

TEST_F(RealEngineObjects, HealthIsToldByInspectAndByEvents) {
  auto spec = shell("sleep 1; touch /tmp/ready; sleep 60");
  spec.health = HealthCheck{.test = {"CMD-SHELL", "echo probed; test -e /tmp/ready"},
                            .interval = 0.2,
                            .timeout = 5,
                            .retries = 100};
  const auto id = create(spec);
  const auto events = loop().run(engine().events(labels(), 0));
  loop().run(engine().start(id));
  EXPECT_EQ(loop().run(engine().inspect(id)).health.status, Health::starting);
  const auto said = loop().run([](EventStream& stream) -> Task<std::optional<Health>> {
    while (const auto event = co_await stream.next())
      if (const auto health = health_in(*event)) co_return health;
    co_return std::nullopt;
  }(*events));
  EXPECT_EQ(said, Health::healthy);
  const auto state = loop().run(engine().inspect(id));
  EXPECT_EQ(state.health.status, Health::healthy);
  ASSERT_FALSE(state.health.log.empty());
  EXPECT_EQ(state.health.log.back(), "probed\n");
}

}  // namespace
}  // namespace container::test
