// The life of a run is a list of stages: small objects in one order, each timed. `ahead` may be
// carried out while another run is under way, `before` waits for this run's turn, `during` is on
// the measured path, `after` runs once the process has ended; the last stage always runs.
#pragma once

#include <memory>

#include "controller/runners/runner.hpp"
#include "controller/stages/run_context.hpp"

namespace controller {

enum class Part { ahead, before, during, after };

class Stage {
 public:
  virtual ~Stage() = default;
  virtual const char* name() const = 0;
  virtual Part part() const = 0;
  virtual Task<> run(RunContext& context, Attempt& attempt) = 0;
};

using Stages = std::vector<std::unique_ptr<Stage>>;
Stages all_stages();  // prepare, gap, ready, warmup, start, measure, collect, teardown

std::unique_ptr<Stage> make_prepare_stage();
std::unique_ptr<Stage> make_gap_stage();
std::unique_ptr<Stage> make_ready_stage();
std::unique_ptr<Stage> make_warmup_stage();
std::unique_ptr<Stage> make_start_stage();
std::unique_ptr<Stage> make_measure_stage();
std::unique_ptr<Stage> make_collect_stage();
std::unique_ptr<Stage> make_teardown_stage();

// Runs the stages of one part from `first` on (a name, "" = all), timing each into attempt.stages.
struct StageRange {
  Part part = Part::before;
  std::string first;
};
Task<> run_stages(RunContext& context, Attempt& attempt, const StageRange& range);

}  // namespace controller
