#include "controller/stages/stage.hpp"

namespace controller {

Stages all_stages() {
  Stages stages;
  stages.push_back(make_prepare_stage());
  stages.push_back(make_gap_stage());
  stages.push_back(make_ready_stage());
  stages.push_back(make_warmup_stage());
  stages.push_back(make_start_stage());
  stages.push_back(make_measure_stage());
  stages.push_back(make_collect_stage());
  stages.push_back(make_teardown_stage());
  return stages;
}

Task<> run_stages(RunContext& context, Attempt& attempt, const StageRange& range) {
  static const Stages stages = all_stages();
  bool reached = range.first.empty();
  for (const auto& stage : stages) {
    reached = reached || range.first == stage->name();
    if (!reached || stage->part() != range.part) continue;
    const double begin = context.clock->boottime();
    if (range.part != Part::after) {
      WorkerStatus& worker = context.workers[static_cast<std::size_t>(attempt.worker)];
      worker.run = attempt.run;
      worker.stage = stage->name();
      worker.since_utc = context.clock->utc();
    }
    co_await stage->run(context, attempt);
    attempt.stages[stage->name()] += context.clock->boottime() - begin;
  }
}

}  // namespace controller
