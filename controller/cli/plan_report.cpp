#include "controller/cli/plan_report.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

namespace controller::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string counts(const Preview& preview) {
  std::map<std::string, std::size_t> by_action;
  for (const PreviewRun& run : preview.runs) ++by_action[run.action];
  std::vector<std::string> parts;
  for (const char* action : {"run", "retry", "changed", "adopt", "skip"})
    if (by_action[action] > 0) parts.push_back(std::to_string(by_action[action]) + " " + action);
  return joined(parts, ", ");
}

std::string axes_text(const campaign::Experiment& experiment) {
  std::vector<std::string> parts;
  if (experiment.axes.is_map())
    for (const auto& [key, value] : experiment.axes.members())
      parts.push_back(key + "=" + (value.is_scalar() ? value.written() : campaign::to_json(value)));
  return joined(parts, " ");
}

std::string explained(const campaign::Plan& plan, const Style& style) {
  std::string out;
  for (const campaign::Experiment& experiment : plan.experiments) {
    out += painted(experiment.name, Paint::bold, style.color) + "  " +
           experiment.hash.substr(0, 12) + "  " + axes_text(experiment) + "\n";
    Table table({{"  key"}, {"value"}, {"from"}, {"where"}});
    for (const campaign::Provenance& value : experiment.provenance)
      table.add({"  " + value.key, value.value, value.source, value.source_detail});
    if (!table.empty()) out += table.text();
    out += "\n";
  }
  return out;
}

std::string changes_text(const Preview& preview) {
  if (preview.changes.empty()) return "";
  std::string out = "changed against the session that it would go on with:\n";
  for (const campaign::PlanChange& change : preview.changes) out += "  " + change.text() + "\n";
  const bool needs_consent =
      std::any_of(preview.changes.begin(), preview.changes.end(), [](const auto& change) {
        return change.kind != campaign::PlanChange::Kind::added_cycles &&
               change.kind != campaign::PlanChange::Kind::added_experiment;
      });
  if (needs_consent)
    out += "`up` refuses this: --accept-changes runs what changed, --new starts a new session\n";
  return out + "\n";
}

Json value_json(const campaign::Value& value) { return Json::parse(campaign::to_json(value)); }

std::int64_t milliseconds(double seconds) { return std::llround(seconds * 1000); }

Json experiment_json(const campaign::Experiment& experiment, bool explain) {
  Json object = {{"name", experiment.name},
                 {"backend", experiment.backend.empty() ? Json(nullptr) : Json(experiment.backend)},
                 {"hash", experiment.hash},
                 {"axes", value_json(experiment.axes)}};
  if (!explain) return object;
  Json provenance = Json::array();
  for (const campaign::Provenance& value : experiment.provenance)
    provenance.push_back({{"key", value.key},
                          {"value", value.value},
                          {"source", value.source},
                          {"source_detail", value.source_detail}});
  object["config"] = value_json(experiment.config);
  object["provenance"] = provenance;
  return object;
}

Json changes_json(const std::vector<campaign::PlanChange>& changes) {
  Json list = Json::array();
  for (const campaign::PlanChange& change : changes)
    list.push_back({{"subject", change.subject}, {"keys", change.keys}, {"text", change.text()}});
  return list;
}

// "; 33 GPU-hours"
std::string gpu_hours(const campaign::Forecast& forecast) {
  constexpr double hour = 3600, tenth = 0.1;
  if (forecast.gpu_seconds <= 0) return "";
  const double hours = forecast.gpu_seconds / hour;
  const std::string some = forecast.more_gpu_seconds ? "; at least " : "; ";
  if (hours < tenth) return some + fixed(hours, 3) + " GPU-hours";
  const double rounded = std::round(hours / tenth) * tenth;
  return some + fixed(rounded, rounded == std::round(rounded) ? 0 : 1) + " GPU-hours";
}

std::string times_text(const campaign::Forecast& forecast) {
  const double total = forecast.run_seconds + forecast.gap_seconds;
  std::string line = plural(forecast.runs, "run");
  if (forecast.runs > 0 && forecast.unknown_runs == forecast.runs)
    line += " of unknown length";
  else if (forecast.unknown_runs > 0)
    line += ", at least " + span(total) + " (" + std::to_string(forecast.unknown_runs) +
            " of unknown length)";
  else
    line += ", " + span(total);
  if (forecast.gap_seconds <= 0)
    return line + (forecast.adaptive_gaps ? "; adaptive gaps besides" : "; no gaps");
  line += "; gaps " + span(forecast.gap_seconds);
  if (forecast.unknown_runs == 0 && total > 0)
    line += " (" + fixed(100 * forecast.gap_seconds / total, 0) + " %)";
  if (forecast.adaptive_gaps) line += " and adaptive ones besides";
  return line;
}

}  // namespace

std::string forecast_text(const campaign::Forecast& forecast) {
  return times_text(forecast) + gpu_hours(forecast);
}

std::string plan_text(const PlanReport& report, const Style& style) {
  const Preview& preview = report.preview;
  std::string out;
  if (report.explain) out += explained(preview.plan, style);
  Table table(
      {{"#", Table::Align::right}, {"run"}, {"cycle", Table::Align::right}, {"do"}, {"why"}});
  std::size_t number = 0;
  for (const PreviewRun& run : preview.runs)
    table.add({std::to_string(++number), run.run, std::to_string(run.cycle), run.action, run.why});
  if (!table.empty()) out += table.text() + "\n";
  out += changes_text(preview);
  const std::string told = counts(preview);
  if (!told.empty()) out += told + "\n";
  return out + forecast_text(preview.forecast) + "\n";
}

std::string plan_json(const PlanReport& report) {
  const Preview& preview = report.preview;
  Json runs = Json::array();
  for (const PreviewRun& run : preview.runs)
    runs.push_back({{"run_id", run.run},
                    {"experiment", run.experiment},
                    {"cycle", run.cycle},
                    {"action", run.action},
                    {"why", run.why}});
  Json experiments = Json::array();
  for (const campaign::Experiment& experiment : preview.plan.experiments)
    experiments.push_back(experiment_json(experiment, report.explain));
  const campaign::Forecast& forecast = preview.forecast;
  const bool unknown = forecast.unknown_runs > 0;
  const Json object = {
      {"schema_version", 1},
      {"campaign_id", preview.campaign.id},
      {"name", preview.campaign.name},
      {"goes_on", preview.goes_on},
      {"seed", preview.plan.seed},
      {"experiments", experiments},
      {"runs", runs},
      {"changes", changes_json(preview.changes)},
      {"forecast",
       {{"runs", forecast.runs},
        {"runs_of_unknown_length", forecast.unknown_runs},
        {"run_ms", unknown ? Json(nullptr) : Json(milliseconds(forecast.run_seconds))},
        {"gap_ms", milliseconds(forecast.gap_seconds)},
        {"adaptive_gaps", forecast.adaptive_gaps},
        {"gpu_ms",
         forecast.more_gpu_seconds ? Json(nullptr) : Json(milliseconds(forecast.gpu_seconds))}}},
  };
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace controller::cli
