#include <algorithm>

#include "campaign/config/field_makers.hpp"

namespace campaign {
namespace {

Field retry_field(const char* cls) {
  Field field = row({FieldType::integer, cls, "retries of runs that fail in this class"},
                    [](Decoder& d, const Field& f, Value& value, void* target) {
                      if (auto count = d.integer(f, value)) {
                        static_cast<Retries*>(target)->by_class[f.name] = static_cast<int>(*count);
                      }
                    });
  return std::move(field).between(0, 1000).like("3");
}

Field seed_field() {
  Field field = row(
      {FieldType::integer, "seed", "seed of the order; by default made from the name. 0 is a seed"},
      [](Decoder& d, const Field&, Value& value, void* target) {
        if (auto seed = d.unsigned_integer(value)) static_cast<Execution*>(target)->seed = *seed;
      });
  return std::move(field).between(0, 18446744073709551615.0).alias("shuffle_seed").like("7");
}

Field classes_field() {
  Field field = row({FieldType::strings, "classes", "failure classes that count"},
                    [](Decoder& d, const Field& f, Value& value, void* target) {
                      auto texts = d.strings(f, value);
                      if (!texts) return;
                      for (const Value& item : value.items()) {
                        if (item.kind() == Value::Kind::string) d.choice(f, item);
                      }
                      if (!value.is_list()) d.choice(f, value);
                      static_cast<FailureThreshold*>(target)->classes = *texts;
                    });
  field.choices = {"payload",        "config",         "oom",   "gpu_oom",    "timeout", "stalled",
                   "missing_result", "invalid_result", "infra", "interrupted"};
  return std::move(field).like("[infra, oom]");
}

void check_execution(Decoder& d, Value& map, void* target) {
  auto& execution = *static_cast<Execution*>(target);
  const Value* config_gap = map.find("config_gap_seconds");
  if (!config_gap) config_gap = map.find("experiment_gap_seconds");
  execution.config_gap_written = config_gap && !config_gap->is_null();
  execution.cycle_gap_written =
      map.find("cycle_gap_seconds") && !map.find("cycle_gap_seconds")->is_null();
  if (!execution.cycle_gap_written) execution.cycle_gap_seconds = execution.config_gap_seconds;
  if (execution.structure == Structure::interleaved &&
      execution.cycle_gap_seconds > execution.config_gap_seconds) {
    d.warn(map,
           "`interleaved` with a cycle gap longer than the config gap: the first experiment of "
           "each cycle always "
           "starts cooler; use `shuffled` or `balanced`, or equal gaps");
  }
  const Retries& retries = execution.retries;
  if (retries.backoff_seconds > retries.max_backoff_seconds) {
    d.fail_key(map, "retries", "`backoff_seconds` is longer than `max_backoff_seconds`");
  }
}

}  // namespace

const Section* retries_section() {
  using R = Retries;
  static const Section section{
      .title = "execution.retries",
      .help = "By class of failure; classes that are not named are not retried.",
      .fields = {retry_field("infra").otherwise("2"), retry_field("payload"), retry_field("oom"),
                 retry_field("gpu_oom"), retry_field("timeout"), retry_field("stalled"),
                 retry_field("missing_result"), retry_field("invalid_result"),
                 unsupported_field("contaminated",
                                   "stands elsewhere: `telemetry.max_reruns` says how "
                                   "often such a run is done again"),
                 duration_field<&R::backoff_seconds>(
                     "backoff_seconds", "wait before the first retry; doubles each time")
                     .otherwise("30")
                     .like("10s"),
                 duration_field<&R::max_backoff_seconds>("max_backoff_seconds",
                                                         "longest wait before a retry")
                     .otherwise("300")
                     .like("5m30s")}};
  return &section;
}

const Section* failure_threshold_section() {
  using F = FailureThreshold;
  static const Section section{
      .title = "execution.failure_threshold",
      .help = "Pauses the campaign when too large a share of the last runs failed.",
      .fields = {number_field<&F::rate>("rate", "share of failures")
                     .between(0, 1)
                     .otherwise("0.5")
                     .like("0.25"),
                 integer_field<&F::window>("window", "number of last runs looked at")
                     .between(1, 100000)
                     .otherwise("10")
                     .like("20"),
                 classes_field()}};
  return &section;
}

const Section* execution_section() {
  using E = Execution;
  static const Section section{
      .title = "execution",
      .help = "How often and in which order the experiments run.",
      .fields =
          {integer_field<&E::cycles>("cycles", "repetitions of every experiment")
               .between(1, 10000)
               .otherwise("5")
               .alias("n_cycles")
               .like("20"),
           choice_field<&E::structure>(
               "structure",
               "`shuffled`: a seeded permutation in each cycle; `interleaved`: A B C, A B C; "
               "`grouped`: A A A, B B B; `balanced`: Williams order",
               {"shuffled", "interleaved", "grouped", "balanced"})
               .otherwise("shuffled")
               .alias("cycle_order")
               .like("balanced"),
           seed_field(),
           integer_field<&E::warmup_prompts>("warmup_prompts", "handed to the payload")
               .between(0, 1000000)
               .otherwise("5")
               .like("8"),
           duration_field<&E::warmup_timeout_seconds>("warmup_timeout_seconds",
                                                      "handed to the payload")
               .like("30"),
           duration_field<&E::config_gap_seconds>("config_gap_seconds",
                                                  "pause since the end of the last run; as "
                                                  "`thermal` says where unsaid")
               .alias("experiment_gap_seconds")
               .like("60"),
           duration_field<&E::cycle_gap_seconds>(
               "cycle_gap_seconds", "pause between cycles; as `config_gap_seconds` where unsaid")
               .like("5m"),
           choice_field<&E::overlap>(
               "overlap",
               "`gap`: while a run measures nothing of ours works on the host; `always`: the "
               "next run is prepared and the last collected at any time",
               {"gap", "always"})
               .otherwise("gap")
               .like("always"),
           boolean_field<&E::pilot>("pilot", "each experiment once before cycle 1, never a result")
               .otherwise("false")
               .like("true"),
           integer_field<&E::workers>("workers", "runs at a time")
               .between(1, 1024)
               .otherwise("1")
               .like("2"),
           section_field<&E::retries>("retries", "how often a failed run is tried again",
                                      retries_section),
           integer_field<&E::skip_after_failures>(
               "skip_after_failures",
               "equal failures of an experiment in a row that skip its other cycles; 0 = never")
               .otherwise("2")
               .like("3"),
           integer_field<&E::max_failures>("max_failures", "failed runs that stop the campaign")
               .from(1)
               .like("10"),
           section_field<&E::failure_threshold>("failure_threshold", "pauses the campaign",
                                                failure_threshold_section),
           choice_field<&E::placement>(
               "placement",
               "devices of an experiment: the `same` in every cycle; `rotate`: each equally often; "
               "`any` that is free. By default `same` with one worker, `rotate` with more",
               {"same", "rotate", "any"})
               .like("any"),
           unsupported_field("sentinel"), unsupported_field("until")},
      .check = check_execution};
  return &section;
}

}  // namespace campaign
