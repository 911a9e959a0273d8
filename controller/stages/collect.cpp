// From the end of a process to a result: the outcome is journalled, classified, verified, accepted
// or kept as failed, and the run's new state is journalled. A kill in between is taken up by the
// next controller at the same point.
#include <algorithm>

#include "controller/classify.hpp"
#include "controller/environment/watch.hpp"
#include "controller/runners/site.hpp"
#include "controller/settle.hpp"
#include "controller/stages/stage.hpp"
#include "controller/telemetry/recorder.hpp"

namespace controller {

using campaign::FailureClass;

namespace {

const char* how_it_ended(const Attempt& attempt) {
  switch (attempt.our_stop) {
    case OurStop::timeout:
      return "timeout";
    case OurStop::stalled:
      return "stalled";
    case OurStop::stopped:
      return "stopped";
    case OurStop::none:
      break;
  }
  return attempt.ending.known ? "exited" : attempt.ending.start_failed ? "start_failed" : "lost";
}

campaign::event::Exited exited_event(const Attempt& attempt) {
  return {.run = attempt.run,
          .attempt = attempt.number,
          .exit_code = attempt.ending.exit_code,
          .signal = attempt.ending.signal,
          .oom_killed = attempt.ending.oom_killed,
          .how = how_it_ended(attempt),
          .finished_utc = attempt.ending.finished_utc};
}

campaign::CollectRequest collect_request(const RunContext& context, const Attempt& attempt) {
  return {
      .folder = context.results,
      .attempt = attempt.name(),
      .collect = &context.campaign->collect,
      .processes = attempt.runner->processes,
      .stages = attempt.stages,
      .process_seconds = std::max(0.0, attempt.ending.finished_utc - attempt.ending.started_utc)};
}

// The window, or the whole process of an attempt that was not looked at so far.
telemetry::Recorder::What what_was_measured(const Attempt& attempt) {
  telemetry::Recorder::What what{.window = attempt.verdict.window, .process = std::nullopt};
  const auto& outcome = attempt.ending.outcome;
  if (!outcome) return what;
  if (what.window.begin_ns == 0) {
    what.window.begin_ns = outcome->start_mono_ns;
    what.window.end_ns = outcome->end_mono_ns;
  }
  what.process = {.start_ns = outcome->start_mono_ns,
                  .end_ns = outcome->end_mono_ns,
                  .cpu_seconds = outcome->user_s + outcome->system_s};
  return what;
}

double seconds_of(const campaign::MeasureWindow& window) {
  return window.seconds > 0 ? window.seconds
                            : static_cast<double>(window.end_ns - window.begin_ns) * 1e-9;
}

double duration_of(const Attempt& attempt) {
  const auto& outcome = attempt.ending.outcome;
  if (outcome) return static_cast<double>(outcome->end_mono_ns - outcome->start_mono_ns) * 1e-9;
  return std::max(0.0, attempt.ending.finished_utc - attempt.ending.started_utc);
}

void describe_site(const RunContext& context, const Attempt& attempt, campaign::RunRecord& record) {
  record.container_id = attempt.container_id;
  record.host = context.host;
  if (context.watch)
    record.environment =
        attempt.environment ? *attempt.environment : context.watch->last(attempt.devices);
  record.launcher = attempt.ending.outcome.has_value();
  if (!context.site || attempt.runner->type == campaign::RunnerType::local) return;
  record.engine = context.site->info.name.empty() ? context.site->info.id : context.site->info.name;
  record.engine_version = context.site->info.version;
  const auto image =
      context.manifest->images.find(campaign::image_of(*context.campaign, *attempt.experiment));
  if (image == context.manifest->images.end()) return;
  record.image = image->first;
  record.image_id = image->second.id;
  record.image_identity = image->second.identity;
  const auto known = context.site->images.find(image->first);
  if (record.environment && known != context.site->images.end())
    record.environment->groups.push_back(image_facts(image->first, known->second.info));
}

void set_class(const Attempt& attempt, campaign::RunRecord& record) {
  record.cls = attempt.cls;
  record.message = attempt.message;
  record.state = attempt.cls == FailureClass::none          ? "completed"
                 : attempt.cls == FailureClass::interrupted ? "interrupted"
                                                            : "failed";
  record.valid = attempt.cls == FailureClass::none;
  record.invalid_reason = record.valid ? "" : campaign::name_of(attempt.cls);
}

campaign::RunRecord record_of(const RunContext& context, const Attempt& attempt) {
  campaign::RunRecord record{.run = attempt.run,
                             .experiment = attempt.experiment->name,
                             .backend = attempt.experiment->backend,
                             .hash = attempt.experiment->hash,
                             .cycle = attempt.planned.cycle,
                             .attempt = attempt.number,
                             .position = attempt.position,
                             .worker = attempt.worker,
                             .block = attempt.planned.block,
                             .session = context.manifest->session,
                             .uid = context.manifest->uid,
                             .campaign_id = context.manifest->campaign_id,
                             .exit_code = attempt.ending.exit_code,
                             .signal = attempt.ending.signal,
                             .oom_killed = attempt.ending.oom_killed,
                             .resumed = attempt.resumed,
                             .repeated = attempt.repeated};
  set_class(attempt, record);
  const campaign::Fold& fold = context.ledger->fold();
  record.queue_wait = std::max(0.0, fold.run(attempt.run).claimed_utc - fold.started_utc);
  record.started_utc = attempt.ending.started_utc;
  record.finished_utc = attempt.ending.finished_utc;
  record.duration = duration_of(attempt);
  record.stages = attempt.stages;
  record.gap_seconds = attempt.gap.seconds;
  record.gap_reason = attempt.gap.reason;
  record.start_temperatures_c = attempt.gap.celsius;
  record.window = attempt.verdict.window;
  record.metrics = attempt.verdict.metrics;
  record.notes = attempt.verdict.notes;
  record.notes.insert(record.notes.end(), attempt.notes.begin(), attempt.notes.end());
  record.strategy = campaign::name_of(attempt.experiment->strategy);
  record.container_run = attempt.container_run;
  record.outcome = attempt.ending.outcome;
  record.overlap = context.campaign->execution.overlap == campaign::Overlap::gap ? "gap" : "always";
  for (const gpu::Device& device : attempt.devices) record.gpus.push_back(device.uuid);
  record.neighbours = attempt.neighbours;
  if (attempt.ending.oom_killed && attempt.cls == FailureClass::none)
    record.notes.push_back(
        "a child process was killed for lack of memory (OOMKilled); the run itself ended with 0");
  describe_site(context, attempt, record);
  return record;
}

// Logs stand in the ctl folder until a failed attempt is kept; then they are beside its results.
std::string tail_of(const Attempt& attempt) {
  for (const char* name : {"stderr.log", "stdout.log"})
    for (const auto& folder : {attempt.paths.ctl, attempt.paths.results})
      if (std::string tail = campaign::log_tail(folder / name, {}); !tail.empty()) return tail;
  return "";
}

class CollectStage : public Stage {
 public:
  const char* name() const override { return "collect"; }
  Part part() const override { return Part::after; }

  Task<> run(RunContext& context, Attempt& attempt) override {
    const double begin = context.clock->boottime();
    co_await conclude(context, attempt);
    if (!attempt.pilot && !attempt.early_failure &&
        !context.ledger->fold().run(attempt.run).exit_known)
      context.ledger->append(exited_event(attempt));
    judge(context, attempt);
    if (attempt.pilot) {
      settle_pilot(context, attempt);
      co_return;
    }
    std::optional<campaign::RunRecord> decided = decided_before(context, attempt);
    campaign::RunRecord record = decided ? std::move(*decided) : record_of(context, attempt);
    if (!decided) {
      co_await add_telemetry(context, attempt, record);
      judge_by_gpus(context, attempt, record);
    }
    if (attempt.cls == FailureClass::none) {
      campaign::accept_attempt(collect_request(context, attempt), record);
      if (context.watch) context.watch->told(record.notes);
    } else {
      campaign::keep_failed_attempt(collect_request(context, attempt), record);
    }
    std::map<std::string, double> stages = attempt.stages;
    stages["collect"] = context.clock->boottime() - begin;
    journal_end(context, attempt, std::move(stages));
    if (attempt.cls != FailureClass::none)
      campaign::forget_decision(context.results, attempt.name());
  }

 private:
  // What a controller had decided that was killed before it was journalled. Files have been moved
  // since, so it is not decided again; a success whose files are no longer whole is none.
  static std::optional<campaign::RunRecord> decided_before(const RunContext& context,
                                                           Attempt& attempt) {
    if (!attempt.resumed) return std::nullopt;
    auto decided = campaign::decided_record(context.results, attempt.run, attempt.number);
    if (!decided || (decided->cls == FailureClass::none && attempt.cls != FailureClass::none))
      return std::nullopt;
    attempt.cls = decided->cls;
    attempt.message = decided->message;
    if (attempt.cls == FailureClass::none) attempt.invalid_reason = decided->invalid_reason;
    return decided;
  }

  static Task<> add_telemetry(RunContext& context, const Attempt& attempt,
                              campaign::RunRecord& record) {
    if (!context.recorder) co_return;
    const telemetry::Recorder::What what = what_was_measured(attempt);
    auto reading = co_await context.recorder->collect(attempt, what);
    if (!reading) co_return;
    campaign::add_sampled_metrics(record.metrics, campaign::telemetry_metrics(*reading));
    if (!reading->record.complete())
      record.notes.push_back("telemetry: " + reading->record.status + ": " +
                             reading->record.reason);
    record.verdicts = campaign::judge_gpus(*reading, seconds_of(what.window));
    if (record.verdicts)
      campaign::add_sampled_metrics(record.metrics, campaign::verdict_metrics(*record.verdicts));
    record.energy = context.recorder->energy(attempt, *reading, attempt.verdict.window);
    if (record.energy) {
      record.notes.insert(record.notes.end(), record.energy->notes.begin(),
                          record.energy->notes.end());
      campaign::add_sampled_metrics(record.metrics, campaign::energy_metrics(*record.energy));
      const bool asked = context.campaign->energy.enabled == campaign::Energy::Enabled::yes;
      if (asked && !record.energy->reason.empty())
        record.notes.push_back("no energy: " + record.energy->reason);
    }
    record.telemetry = std::move(reading->record);
  }

  // A success whose GPUs say otherwise.
  static void judge_by_gpus(RunContext& context, Attempt& attempt, campaign::RunRecord& record) {
    if (attempt.cls != FailureClass::none || !record.verdicts) return;
    const campaign::GpuConsequence consequence =
        campaign::consequence_of(*record.verdicts, context.campaign->telemetry,
                                 context.ledger->fold().run(attempt.run).reruns);
    record.notes.insert(record.notes.end(), consequence.notes.begin(), consequence.notes.end());
    attempt.cls = consequence.cls;
    attempt.message = consequence.message;
    set_class(attempt, record);
    if (!record.valid || consequence.invalid_reason.empty()) return;
    record.valid = false;
    record.invalid_reason = attempt.invalid_reason = consequence.invalid_reason;
  }

  static Task<> conclude(RunContext& context, Attempt& attempt) {
    try {
      co_await context.runner_of(attempt).conclude(attempt);
    } catch (const std::exception& error) {
      attempt.notes.push_back(std::string("what ran beside it was not ended well: ") +
                              error.what());
    }
  }

  static void judge(const RunContext& context, Attempt& attempt) {
    if (attempt.early_failure) {
      attempt.cls = *attempt.early_failure;
      return;
    }
    const Classified classified = classify(attempt.ending, attempt.our_stop);
    attempt.cls = classified.cls;
    attempt.message = classified.message;
    const auto& outcome = attempt.ending.outcome;
    if (attempt.cls == FailureClass::none && !attempt.pilot) {
      attempt.verdict = campaign::verify_attempt(collect_request(context, attempt),
                                                 outcome ? &*outcome : nullptr);
      attempt.cls = attempt.verdict.cls;
      attempt.message = attempt.verdict.message;
    } else {
      const std::string tail = tail_of(attempt);
      attempt.distrusted = attempt.cls == FailureClass::payload && lost_its_gpu(tail);
      attempt.cls = refine_by_log(attempt.cls, tail);
    }
  }

  static void settle_pilot(RunContext& context, const Attempt& attempt) {
    context.ledger->append(campaign::event::PilotDone{.experiment = attempt.experiment->name,
                                                      .attempt = attempt.number,
                                                      .ok = attempt.cls == FailureClass::none,
                                                      .duration = duration_of(attempt),
                                                      .message = attempt.message});
  }

  static void journal_end(RunContext& context, const Attempt& attempt,
                          std::map<std::string, double> stages) {
    if (attempt.cls == FailureClass::none)
      context.ledger->append(
          campaign::event::Completed{.run = attempt.run,
                                     .attempt = attempt.number,
                                     .duration = duration_of(attempt),
                                     .finished_boottime = attempt.finished_boottime,
                                     .finished_utc = attempt.ending.finished_utc,
                                     .started_utc = attempt.ending.started_utc,
                                     .stages = std::move(stages),
                                     .resumed = attempt.resumed,
                                     .invalid = attempt.invalid_reason});
    else if (attempt.cls == FailureClass::interrupted)
      context.ledger->append(
          campaign::event::Interrupted{.run = attempt.run,
                                       .attempt = attempt.number,
                                       .reason = context.stop->signal() ? "signal" : "stop",
                                       .utc = attempt.ending.finished_utc});
    else
      context.ledger->append(failed_event(context, attempt, std::move(stages)));
  }

  static campaign::event::Failed failed_event(const RunContext& context, const Attempt& attempt,
                                              std::map<std::string, double> stages) {
    const campaign::RunState& run = context.ledger->fold().run(attempt.run);
    const RetryDecision decision =
        decide_retry(context.campaign->execution.retries, attempt.cls,
                     attempt.cls == FailureClass::contaminated ? run.reruns : run.failures);
    campaign::event::Failed failed{.run = attempt.run,
                                   .attempt = attempt.number,
                                   .cls = attempt.cls,
                                   .exit_code = attempt.ending.exit_code,
                                   .signal = attempt.ending.signal,
                                   .oom_killed = attempt.ending.oom_killed,
                                   .message = attempt.message,
                                   .log_tail = tail_of(attempt),
                                   .duration = duration_of(attempt),
                                   .finished_boottime = attempt.finished_boottime,
                                   .finished_utc = attempt.ending.finished_utc,
                                   .started_utc = attempt.ending.started_utc,
                                   .stages = std::move(stages),
                                   .final = !decision.retry};
    if (decision.retry) failed.retry_not_before_utc = context.clock->utc() + decision.backoff;
    return failed;
  }
};

}  // namespace

std::unique_ptr<Stage> make_collect_stage() { return std::make_unique<CollectStage>(); }

}  // namespace controller
