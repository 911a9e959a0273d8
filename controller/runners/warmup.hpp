// warmup_command in a container that is held alive: execs of their own, one after the other, until
// there were enough of them, the time is over, or the latencies that they report have converged.
#pragma once

#include <filesystem>

#include "container/exec.hpp"
#include "controller/runners/runner.hpp"

namespace controller {

struct Warmup {
  container::Engine* engine = nullptr;
  Wake* wake = nullptr;
  std::function<bool()> cancelled;
  std::function<container::ExecRun(int n)> run_of;  // n from 1; without its container
  std::string container;
  std::filesystem::path folder;  // where they write; made anew
  int most = 5;
  double seconds = 0;  // for all of them
  double grace = 10;
  bool open_to_all = false;  // its folders are for another uid than ours
};
// What became of it, a line: "warmup: 3 of 5, converged (variation 0.021)". Throws PrepareError
// (payload: it failed; infra: it was lost), ReleasedBeforeStart, EngineError.
Task<std::string> warm(const Warmup& warmup);

}  // namespace controller
