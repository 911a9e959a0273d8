#include <algorithm>

#include "campaign/config/expression.hpp"
#include "campaign/config/field_makers.hpp"

namespace campaign {
namespace {

template <auto M>
Field globs_field(const char* name, const char* help) {
  return row({FieldType::strings, name, help},
             [](Decoder& d, const Field& f, Value& value, void* target) {
               const auto texts = d.strings(f, value);
               if (!texts) return;
               for (const std::string& glob : *texts) {
                 const bool leaves = glob[0] == '/' || glob == ".." || glob.starts_with("../") ||
                                     glob.find("/../") != glob.npos || glob.ends_with("/..");
                 if (leaves) d.fail(value, "`" + glob + "` leaves the results folder of the run");
               }
               Member<M>::of(target) = *texts;
             });
}

void store_source(MetricSpec& spec, MetricSpec::Source source, std::string where) {
  spec.source = source;
  spec.where = std::move(where);
}

void store_json(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (!text) return;
  const auto hash = text->find('#');
  const bool valid =
      hash != text->npos && hash > 0 && hash + 1 < text->size() && (*text)[hash + 1] == '/';
  if (!valid)
    return d.fail(value,
                  "expected GLOB#/POINTER such as \"*.json#/throughput\", not " + describe(value));
  store_source(*static_cast<MetricSpec*>(target), MetricSpec::Source::json, *text);
}

void store_regex(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (!text) return;
  const Expression expression(*text);
  if (!expression.problem().empty())
    return d.fail(value, "not a POSIX extended regular expression (" + expression.problem() +
                             "): " + describe(value));
  if (expression.groups() != 1)
    return d.fail(value, "expected one group (...) around the number, not " +
                             std::to_string(expression.groups()));
  store_source(*static_cast<MetricSpec*>(target), MetricSpec::Source::regex, *text);
}

void store_stage(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (text) store_source(*static_cast<MetricSpec*>(target), MetricSpec::Source::stage, *text);
}

void check_metric(Decoder& d, Value& map, void*) {
  const int sources = (map.find("json") != nullptr) + (map.find("regex") != nullptr) +
                      (map.find("stage") != nullptr);
  if (sources != 1 && !map.find("csv"))
    d.fail(map, "expected exactly one of `json`, `regex`, `stage`");
}

void store_metrics(Decoder& d, const Field& f, Value& value, void* target) {
  if (!d.is_map(value, "a map of names to metrics")) return;
  auto& metrics = static_cast<Collect*>(target)->metrics;
  for (auto& [name, given] : value.members()) {
    const Decoder::Scope scope(d, name);
    d.check_name(given, name, 60);
    MetricSpec spec;
    spec.name = name;
    d.section(*f.section(), given, &spec);
    const bool second = spec.primary && std::any_of(metrics.begin(), metrics.end(),
                                                    [](auto& m) { return m.primary; });
    if (second) d.fail(given, "a second primary metric; one at most");
    metrics.push_back(std::move(spec));
  }
}

Field metrics_field() {
  Field field = row({FieldType::object_map, "metrics",
                     "figures of a run; the seconds of its window are always one"},
                    store_metrics);
  field.section = metric_section;
  return field;
}

}  // namespace

const Section* metric_section() {
  using M = MetricSpec;
  static const Section section{
      .title = "collect.metrics.NAME",
      .help = "A figure taken from each run: exactly one of `json`, `regex`, `stage`.",
      .fields = {row({FieldType::pattern, "json",
                      "GLOB#/POINTER: a number in a JSON file of the results"},
                     store_json)
                     .like("\"*.json#/throughput\""),
                 row({FieldType::pattern, "regex",
                      "POSIX extended, with \\d and \\D; one group; the last match on standard "
                      "output counts"},
                     store_regex)
                     .like("'rate: ([0-9.]+)'"),
                 row({FieldType::text, "stage", "seconds of a stage of the run"}, store_stage)
                     .like("measure"),
                 text_field<&M::unit>("unit", "shown in tables").like("tok/s"),
                 choice_field<&M::better, 1>("better", "which way is good", {"higher", "lower"})
                     .like("higher"),
                 boolean_field<&M::primary>("primary", "the figure that tables sort by")
                     .otherwise("false")
                     .like("true"),
                 unsupported_field("csv")},
      .check = check_metric};
  return &section;
}

const Section* collect_section() {
  using C = Collect;
  static const Section section{
      .title = "collect",
      .help = "What a run must leave in its results folder, and which figures are taken from it.",
      .fields = {globs_field<&C::required>(
                     "required", "globs that must match, else the run is `missing_result`")
                     .like("[\"*.json\"]"),
                 globs_field<&C::optional>("optional", "globs that are kept where they match")
                     .like("[\"*.log\"]"),
                 size_field<&C::max_bytes>("max_bytes", "limit of a run's results")
                     .from(1)
                     .otherwise("10g")
                     .like("1g"),
                 metrics_field(), unsupported_field("success")}};
  return &section;
}

const Section* hooks_section() {
  using H = Hooks;
  static const Section section{
      .title = "hooks",
      .help = "Commands on the host, never inside the measurement.",
      .fields = {
          argv_field<&H::setup>("setup", "before the campaign").like("[sync]"),
          argv_field<&H::prepare>("prepare", "before each run; a failure is `infra`")
              .like("[sync]"),
          argv_field<&H::conclude>("conclude", "after each run").like("[sync]"),
          argv_field<&H::cleanup>("cleanup", "at the end; owed until it has run").like("[sync]")}};
  return &section;
}

const Section* io_section() {
  using I = Io;
  static const Section section{
      .title = "io",
      .help = "Where things lie; relative to the campaign file.",
      .fields = {
          path_field<&I::results_dir>("results_dir", "results").otherwise("results").like("out"),
          path_field<&I::configs_dir>("configs_dir", "resolved configs")
              .otherwise("configs")
              .like("cfg"),
          path_field<&I::state_dir>("state_dir", "journal, manifests, locks")
              .otherwise(".state")
              .like("state"),
          row({FieldType::text, "manifest_filename", "a file name"},
              [](Decoder& d, const Field& f, Value& value, void* target) {
                const auto text = d.text(f, value);
                if (!text) return;
                if (!d.check_name(value, *text, 100)) return;
                static_cast<Io*>(target)->manifest_filename = *text;
              })
              .otherwise("campaign_manifest.json")
              .like("manifest.json"),
          size_field<&I::min_free>("min_free", "below this much free space no run starts")
              .otherwise("1g")
              .like("512m")}};
  return &section;
}

}  // namespace campaign
