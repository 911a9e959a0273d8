// Everything that a sequencer needs for a campaign, made by hand around an engine of the test's
// choice: no lock, no signals.
#pragma once

#include "controller/ledger.hpp"
#include "controller/runners/docker_runner.hpp"
#include "controller/runners/local_runner.hpp"
#include "controller/sequencer.hpp"
#include "tests/support/container/loop.hpp"

namespace controller::test {

class Bench {
 public:
  // `text`: a campaign file; its folders lie below a temporary one that goes with the bench.
  explicit Bench(const std::string& text);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  // Before run(): containers go to this engine, images are taken as they are named, without a
  // launcher.
  void use(container::Engine& engine);
  SequenceEnd run(std::set<std::size_t> selected = {});
  // The first run's first attempt with its folders, as the prepare stage lays them out.
  AttemptPtr attempt() const;
  const campaign::RunState& state(const std::string& run) const { return fold_.run(run); }

  const std::filesystem::path& folder() const { return folder_; }
  const campaign::Manifest& manifest() const { return manifest_; }
  PayloadContext payload() const;
  RunContext& context() { return context_; }
  container::test::Loop& loop() { return loop_; }
  Wake& wake() { return wake_; }
  Stop& stop() { return stop_; }
  LocalRunner& local() { return *local_; }
  DockerRunner& docker() { return *docker_; }

 private:
  std::filesystem::path folder_;
  campaign::Campaign campaign_;
  campaign::Manifest manifest_;
  campaign::Fold fold_;
  container::test::Loop loop_;
  Wake wake_;
  Stop stop_{wake_};
  std::unique_ptr<Progress> progress_;
  std::unique_ptr<campaign::Journal> journal_;
  std::unique_ptr<Ledger> ledger_;
  Site site_;
  std::unique_ptr<DockerRunner> docker_;
  std::unique_ptr<LocalRunner> local_;
  RunContext context_;
};

}  // namespace controller::test
