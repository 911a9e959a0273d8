#include "tests/support/controller/bench.hpp"

#include <fstream>

#include "campaign/state/files.hpp"

namespace controller::test {

namespace fs = std::filesystem;

Bench::Bench(const std::string& text) {
  std::string path = fs::temp_directory_path() / "bench-XXXXXX";
  folder_ = mkdtemp(path.data());
  std::ofstream(folder_ / "campaign.yaml") << text;
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "GIVEN") return "given value";
    return std::nullopt;
  };
  campaign_ = campaign::load_campaign(
      {.path = folder_ / "campaign.yaml", .sets = {}, .environment = environment, .document = {}});
  manifest_.uid = "0123456789abcdef0123456789abcdef";
  manifest_.session = "20261121T000000Z";
  manifest_.campaign_id = campaign_.id;
  manifest_.plan = campaign::make_plan(campaign_);
  manifest_.state_dir = manifest_.results_dir = folder_;
  progress_ = std::make_unique<QuietProgress>();
  fs::create_directories(folder_ / "journal");
  journal_ = campaign::Journal::create(folder_ / "journal", campaign::system_clock());
  ledger_ = std::make_unique<Ledger>(*journal_, fold_, [this] { wake_.notify(); });
  local_ = std::make_unique<LocalRunner>(LocalRunnerParts{
      .payload = {.campaign = &campaign_, .manifest = &manifest_, .environment = environment},
      .launcher = LAUNCHER_PATH,
      .wake = &wake_});
  context_ = {.campaign = &campaign_,
              .manifest = &manifest_,
              .clock = &campaign::system_clock(),
              .results = {folder_ / "results"},
              .ledger = ledger_.get(),
              .wake = &wake_,
              .stop = &stop_,
              .progress = progress_.get(),
              .environment = environment,
              .site = &site_,
              .runner_of = [this](const Attempt& which) -> Runner& {
                if (which.runner->type == campaign::RunnerType::docker) return *docker_;
                return *local_;
              },
              .engine_is_back = []() -> Task<bool> { co_return true; },
              .ask_engine_anew = []() -> Task<> { co_return; },
              .engine_id = "FAKE",
              .host = "host"};
  context_.workers.resize(static_cast<std::size_t>(campaign_.execution.workers));
  campaign::make_private_folders(context_.results.folder);
}

Bench::~Bench() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

PayloadContext Bench::payload() const {
  return {.campaign = &campaign_, .manifest = &manifest_, .environment = context_.environment};
}

void Bench::use(container::Engine& engine) {
  site_.info = {.id = "FAKE"};
  site_.user = "1000:1000";
  site_.user_name = "someone";
  for (const auto& experiment : manifest_.plan.experiments) {
    const std::string image = campaign::runner_for(campaign_, experiment.backend)->image;
    site_.images[image] = {.info = {.id = "sha256:" + image}, .launcher = false};
  }
  docker_ =
      std::make_unique<DockerRunner>(DockerRunnerParts{.engine = &engine,
                                                       .site = &site_,
                                                       .payload = payload(),
                                                       .belonging = {.uid = manifest_.uid,
                                                                     .campaign_id = campaign_.id,
                                                                     .session = manifest_.session,
                                                                     .host = "host"},
                                                       .wake = &wake_});
}

SequenceEnd Bench::run(std::set<std::size_t> selected) {
  Sequencer sequencer({.context = &context_, .selected = std::move(selected)});
  return loop_.run(sequencer.run());
}

AttemptPtr Bench::attempt() const {
  auto made = std::make_unique<Attempt>();
  made->planned = manifest_.plan.runs.front();
  made->experiment = &manifest_.plan.experiments[made->planned.experiment];
  made->runner = campaign::runner_for(campaign_, made->experiment->backend);
  made->run = campaign::run_id(manifest_.plan, made->planned);
  made->paths = attempt_paths(context_.results, *made);
  made->container_name = container_name(manifest_.uid, made->run, made->number);
  for (const fs::path& path : {made->paths.results, made->paths.ctl, made->paths.home})
    campaign::make_private_folders(path);
  campaign::write_atomically(made->paths.ctl / "config.yaml",
                             campaign::to_yaml(made->experiment->config));
  return made;
}

}  // namespace controller::test
