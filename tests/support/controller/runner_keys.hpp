// One-run campaigns that exercise a key of a runner on the real engine. Every test ends with proof
// that no container is left.
#pragma once

#include "tests/support/container/real_engine.hpp"
#include "tests/support/controller/campaign_run.hpp"

namespace controller::test {

class RunnerKeys : public container::test::RealEngine {
 protected:
  void SetUp() override;
  void TearDown() override;

  // A campaign "k" with the experiment "one": runner keys (YAML lines), a shell script, lines of
  // the top level.
  struct Parts {
    std::string keys, script, top = "execution: {cycles: 1, retries: {infra: 0}}\n";
  };
  static std::string campaign(const Parts& parts);
  // Runs it, expects that it completes, gives what the script printed.
  std::string output_of(const Parts& parts);
  // `docker inspect` of the one container of this campaign that is there now.
  nlohmann::json inspected();

  CampaignRun run_;
};

}  // namespace controller::test
