#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "campaign/state/files.hpp"
#include "controller/cli/commands.hpp"
#include "controller/cli/records.hpp"
#include "controller/cli/summary.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

using campaign::RunRecord;
using Json = nlohmann::ordered_json;

struct Results {
  SessionView view;
  std::vector<RunRecord> records;
};

bool wanted(const ResultsArguments& arguments, const std::string& metric) {
  const auto& names = arguments.metrics;
  return names.empty() || std::find(names.begin(), names.end(), metric) != names.end();
}

Results gather(const Arguments& arguments, Console& console) {
  Results results;
  results.view = read_session(locate(locate_request(arguments, arguments.results.campaign)));
  SessionRecords found = read_records(results.view);
  for (const std::string& line : found.unreadable)
    console.err << painted("warning:", Paint::yellow, console.err_color) << " " << line << "\n";
  results.records = std::move(found.records);
  for (RunRecord& record : results.records)
    std::erase_if(record.metrics, [&](const campaign::MetricValue& metric) {
      return !wanted(arguments.results, metric.name);
    });
  return results;
}

campaign::Summary summary_of(const Arguments& arguments, const Results& results) {
  campaign::Summary summary = campaign::summarise({.manifest = &results.view.manifest,
                                                   .records = results.records,
                                                   .group_by = arguments.results.group_by});
  count_runs(summary, results.view);
  std::erase_if(summary.rows, [&](const campaign::MetricSummary& row) {
    return !wanted(arguments.results, row.metric);
  });
  return summary;
}

std::string text_of(const campaign::MetricValue& metric) {
  return metric.name + " " + figure(metric.value) + (metric.unit.empty() ? "" : " " + metric.unit);
}

std::string metrics_text(const RunRecord& record, bool (*wanted)(bool sampled)) {
  std::vector<std::string> parts;
  for (const campaign::MetricValue& metric : record.metrics)
    if (wanted(metric.sampled)) parts.push_back(text_of(metric));
  return joined(parts, ", ");
}

bool all_figures(bool) { return true; }
bool declared_figures(bool sampled) { return !sampled; }
bool sampled_figures(bool sampled) { return sampled; }

std::string table_of(const Arguments& arguments, const campaign::Summary& summary,
                     const Style& style) {
  return arguments.results.metrics.empty() ? brief_table(summary, style)
                                           : summary_table(summary, style);
}

std::string list_text(const Results& results, const Arguments& arguments, const Style& style) {
  const auto shown = arguments.results.metrics.empty() ? declared_figures : all_figures;
  Table table({{"run"},
               {"state"},
               {"attempt", Table::Align::right},
               {"time", Table::Align::right},
               {"window"},
               {"figures"}});
  for (const RunRecord& record : results.records) {
    const std::string state = record.cls == campaign::FailureClass::none
                                  ? record.state
                                  : record.state + " (" + name_of(record.cls) + ")";
    table.add({record.run,
               painted(state + (record.valid || record.state != "completed" ? "" : ", invalid"),
                       record.state == "completed" ? Paint::plain : Paint::red, style.color),
               std::to_string(record.attempt), duration(record.duration),
               name_of(record.window.source), metrics_text(record, shown)});
  }
  return table.empty() ? "no run has ended yet\n" : table.text();
}

Json record_json(const RunRecord& record) {
  return Json::parse(campaign::write_run_record(record));
}

std::string list_json(const Results& results) {
  Json runs = Json::array();
  for (const RunRecord& record : results.records) runs.push_back(record_json(record));
  const Json object = {{"schema_version", 1},
                       {"campaign_id", results.view.manifest.campaign_id},
                       {"session", results.view.manifest.session},
                       {"results", results.view.results.folder.string()},
                       {"runs", runs}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

using Lines = std::vector<std::pair<std::string, std::string>>;

void add_lines(std::string& out, const Lines& lines) {
  for (const auto& [name, value] : lines)
    if (!value.empty())
      out += "  " + name + std::string(name.size() < 10 ? 10 - name.size() : 1, ' ') + value + "\n";
}

std::string stages_text(const RunRecord& record) {
  std::vector<std::string> parts;
  for (const auto& [stage, seconds] : record.stages)
    parts.push_back(stage + " " + fixed(seconds, 3) + "s");
  return joined(parts, ", ");
}

std::string telemetry_text(const RunRecord& record) {
  if (!record.telemetry) return "";
  const campaign::TelemetryRecord& telemetry = *record.telemetry;
  std::string text = telemetry.status + ", " + plural(telemetry.samples, "sample");
  if (!telemetry.reason.empty()) text += ": " + telemetry.reason;
  for (const campaign::TelemetrySource& source : telemetry.sources)
    text += "; " + source.name + " " +
            (source.unavailable.empty() ? source.kind : "unavailable (" + source.unavailable + ")");
  return text;
}

// "governor powersave, boost yes; unavailable: min_mhz, max_mhz (why)".
std::string facts_text(const campaign::FactGroup& group) {
  std::vector<std::string> known;
  Lines unknown;  // reason, names
  for (const campaign::Fact& fact : group.facts) {
    if (fact.value) {
      known.push_back(fact.name + " " + campaign::to_text(fact));
      continue;
    }
    const auto same = std::ranges::find(unknown, fact.unavailable, &Lines::value_type::first);
    if (same == unknown.end())
      unknown.emplace_back(fact.unavailable, fact.name);
    else
      same->second += ", " + fact.name;
  }
  std::string out = joined(known, ", ");
  for (const auto& [reason, names] : unknown)
    out += (out.empty() ? "unavailable: " : "; unavailable: ") + names + " (" + reason + ")";
  return out;
}

// A heading, and a line for each group below it; the image has a line of its own.
Lines environment_lines(const RunRecord& record) {
  if (!record.environment) return {{"host", record.host}};
  Lines lines = {{"environment", "as it was before the run"}};
  for (const campaign::FactGroup& group : record.environment->groups)
    if (group.name != "image") lines.emplace_back("  " + group.name, facts_text(group));
  for (const campaign::FactGroup& gpu : record.environment->gpus)
    lines.emplace_back("  gpu", facts_text(gpu));
  return lines;
}

std::string record_text(const RunRecord& record, const Results& results, const Style& style) {
  std::string out = painted(record.run, Paint::bold, style.color) + "  " + record.state;
  if (record.cls != campaign::FailureClass::none)
    out += std::string(" (") + name_of(record.cls) + ")";
  out += ", attempt " + std::to_string(record.attempt) + ", " + duration(record.duration) + "\n";
  std::string cpu;
  if (record.outcome)
    cpu = fixed(record.outcome->user_s, 3) + "s user, " + fixed(record.outcome->system_s, 3) +
          "s system, " + figure(static_cast<double>(record.outcome->max_rss_kb) / 1024) +
          " MiB at most";
  add_lines(out,
            {{"message", record.message},
             {"exit", record.exit_code ? std::to_string(*record.exit_code) : ""},
             {"started", record.started_utc > 0 ? campaign::rfc3339(record.started_utc) : ""},
             {"window", fixed(record.window.seconds, 6) + "s by " + name_of(record.window.source)},
             {"figures", metrics_text(record, declared_figures)},
             {"sampled", metrics_text(record, sampled_figures)},
             {"telemetry", telemetry_text(record)},
             {"cpu", cpu},
             {"stages", stages_text(record)},
             {"image", record.image},
             {"invalid", record.valid ? "" : record.invalid_reason},
             {"log", log_of(results.view.results, record.run, record.attempt)}});
  add_lines(out, environment_lines(record));
  for (const std::string& note : record.notes) out += "  note      " + note + "\n";
  return out;
}

int show_one(const Arguments& arguments, const Results& results, Console& console) {
  const campaign::PlannedRun& planned = one_run(results.view, arguments.results.run);
  const std::string id = campaign::run_id(results.view.manifest.plan, planned);
  const auto found = std::find_if(results.records.begin(), results.records.end(),
                                  [&](const RunRecord& record) { return record.run == id; });
  if (found == results.records.end())
    throw CommandError(ExitCode::usage,
                       id + " has no result; `campaignctl status --why " + id + "` says why");
  if (arguments.global.json)
    console.out << record_json(*found).dump(2) << "\n";
  else
    console.out << record_text(*found, results, console.style);
  return 0;
}

}  // namespace

int results_list_command(const Arguments& arguments, Console& console) {
  const Results results = gather(arguments, console);
  console.out << (arguments.global.json ? list_json(results)
                                        : list_text(results, arguments, console.style));
  return 0;
}

int results_show_command(const Arguments& arguments, Console& console) {
  const Results results = gather(arguments, console);
  if (!arguments.results.run.empty()) return show_one(arguments, results, console);
  const campaign::Summary summary = summary_of(arguments, results);
  if (arguments.global.json)
    console.out << campaign::write_summary_json(summary) << "\n";
  else
    console.out << table_of(arguments, summary, console.style)
                << outcome_text(summary, failed_runs(results.view), console.style);
  return 0;
}

int results_export_command(const Arguments& arguments, Console& console) {
  const ResultsArguments& wanted_results = arguments.results;
  if (wanted_results.tidy && wanted_results.format == "json")
    throw CommandError(ExitCode::usage, "--tidy is CSV; leave --format json out");
  const Results results = gather(arguments, console);
  if (wanted_results.tidy) {
    console.out << campaign::write_tidy_csv(results.view.manifest, results.records);
    return 0;
  }
  const campaign::Summary summary = summary_of(arguments, results);
  if (wanted_results.format == "csv")
    console.out << campaign::write_summary_csv(summary);
  else if (wanted_results.format == "json" || arguments.global.json)
    console.out << campaign::write_summary_json(summary) << "\n";
  else
    console.out << table_of(arguments, summary, console.style);
  return 0;
}

}  // namespace controller::cli
