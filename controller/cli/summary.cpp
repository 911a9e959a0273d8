#include "controller/cli/summary.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace controller::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t most_failures_shown = 20;

Paint paint_of(const FailedRun& run) { return run.state == "skipped" ? Paint::yellow : Paint::red; }

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json failed_json(const std::vector<FailedRun>& failed) {
  Json list = Json::array();
  for (const FailedRun& run : failed)
    list.push_back({{"run_id", run.run},
                    {"state", run.state},
                    {"attempt", run.attempt},
                    {"class", run.cls.empty() ? Json(nullptr) : Json(run.cls)},
                    {"exit_code", or_null(run.exit_code)},
                    {"message", run.message},
                    {"log", run.log.empty() ? Json(nullptr) : Json(run.log)}});
  return list;
}

// "contaminated: throttled (hw_thermal), shared device" without what every reason begins with.
std::string reason_text(const std::string& reason) {
  constexpr std::string_view contaminated = "contaminated: ";
  return reason.starts_with(contaminated) ? reason.substr(contaminated.size()) : reason;
}

// "throttled, shared device": without what stands in brackets.
std::string short_reason(const std::string& reason) {
  std::string text = reason_text(reason);
  for (auto open = text.find(" ("); open != std::string::npos; open = text.find(" (")) {
    const auto close = text.find(')', open);
    if (close == std::string::npos) break;
    text.erase(open, close + 1 - open);
  }
  return text;
}

std::string invalid_line(const campaign::Summary& summary) {
  std::vector<std::string> reasons;
  for (const auto& [reason, count] : summary.invalid_by_reason)
    reasons.push_back(std::to_string(count) + " " + reason_text(reason));
  return reasons.empty() ? "" : "invalid: " + joined(reasons, "; ") + "\n";
}

// "2 of them invalid (throttled)".
std::string invalid_part(const campaign::Summary& summary) {
  std::map<std::string, std::size_t> counts;
  for (const auto& [reason, count] : summary.invalid_by_reason)
    counts[short_reason(reason)] += count;
  std::vector<std::string> reasons;
  for (const auto& [reason, count] : counts)
    reasons.push_back(counts.size() > 1 ? std::to_string(count) + " " + reason : reason);
  return std::to_string(summary.invalid) + " of them invalid" +
         (reasons.empty() ? "" : " (" + joined(reasons, "; ") + ")");
}

}  // namespace

std::string log_of(const campaign::ResultsFolder& results, const std::string& run, int attempt) {
  const std::string name = campaign::attempt_name(run, attempt);
  std::string empty_one;
  for (const fs::path& folder : {results.raw(run), results.attempt(name), results.ctl(name)})
    for (const char* file : {"stderr.log", "stdout.log"}) {
      std::error_code error;
      const auto bytes = fs::file_size(folder / file, error);
      if (error) continue;
      if (bytes > 0) return (folder / file).string();
      if (empty_one.empty()) empty_one = (folder / file).string();
    }
  return empty_one;
}

std::vector<FailedRun> failed_runs(const SessionView& view) {
  std::vector<FailedRun> found;
  for (const campaign::PlannedRun& planned : view.manifest.plan.runs) {
    const std::string id = campaign::run_id(view.manifest.plan, planned);
    const campaign::RunState& state = view.fold.run(id);
    const bool failed = state.phase == campaign::RunPhase::failed && state.final;
    if (!failed && state.phase != campaign::RunPhase::skipped) continue;
    FailedRun run{.run = id,
                  .state = campaign::name_of(state.phase),
                  .cls = "",
                  .message = state.message,
                  .log = "",
                  .attempt = state.attempt,
                  .exit_code = state.exit_code};
    if (failed) {
      run.cls = campaign::name_of(state.cls);
      run.log = log_of(view.results, id, state.attempt);
    }
    found.push_back(std::move(run));
  }
  return found;
}

void count_runs(campaign::Summary& summary, const SessionView& view) {
  summary.runs = view.manifest.plan.runs.size();
  summary.completed = summary.failed = summary.skipped = 0;
  summary.failed_by_class.clear();
  for (const campaign::PlannedRun& planned : view.manifest.plan.runs) {
    const campaign::RunState& state = view.fold.run(campaign::run_id(view.manifest.plan, planned));
    if (state.phase == campaign::RunPhase::skipped) ++summary.skipped;
    if (state.phase == campaign::RunPhase::completed ||
        state.phase == campaign::RunPhase::aggregated)
      ++summary.completed;
    if (state.phase != campaign::RunPhase::failed || !state.final) continue;
    ++summary.failed;
    ++summary.failed_by_class[campaign::name_of(state.cls)];
  }
}

namespace {

std::string figures_table(const campaign::Summary& summary, const Style& style) {
  bool invalid = false, outliers = false;
  for (const campaign::MetricSummary& row : summary.rows) {
    invalid = invalid || row.invalid > 0;
    outliers = outliers || row.outliers > 0;
  }
  using Align = Table::Align;
  std::vector<Table::Column> columns = {
      {"experiment"},       {"metric"}, {"n", Align::right}, {"mean", Align::right},
      {"sd", Align::right}, {"unit"},   {"window"}};
  if (invalid) columns.push_back({"invalid", Align::right});
  if (outliers) columns.push_back({"outliers", Align::right});
  Table table(std::move(columns));
  std::string group;
  for (const campaign::MetricSummary& row : summary.rows) {
    std::vector<std::string> cells = {
        row.group == group && !table.empty() ? "" : row.group,
        painted(row.metric, row.primary ? Paint::bold : Paint::plain, style.color),
        std::to_string(row.n),
        figure(row.mean),
        figure(row.sd),
        row.unit,
        row.window};
    if (invalid) cells.push_back(row.invalid > 0 ? std::to_string(row.invalid) : "");
    if (outliers) cells.push_back(row.outliers > 0 ? std::to_string(row.outliers) : "");
    table.add(std::move(cells));
    group = row.group;
  }
  return table.empty() ? "" : table.text() + invalid_line(summary);
}

bool has_gpu_energy(const campaign::Summary& summary) {
  constexpr std::array names = {"gpu_energy_j", "energy_raw_j", "energy_adjusted_j"};
  return std::ranges::any_of(summary.rows, [&](const campaign::MetricSummary& row) {
    return std::ranges::find(names, row.metric) != names.end();
  });
}

// A line for each experiment whose energy is not known to 1 %, one for all where they are many.
std::string energy_lines(const campaign::Summary& summary) {
  constexpr std::size_t most_named = 3;
  const auto& parts = summary.energy_open;
  if (parts.empty() || !has_gpu_energy(summary)) return "";
  const auto percent = [](double part) { return fixed(100 * part, part < 0.1 ? 1 : 0) + " %"; };
  std::string out;
  if (parts.size() <= most_named) {
    for (const auto& [experiment, part] : parts)
      out += "the GPU energy of " + experiment + " is known to " + percent(part) +
             " only: its window is too short for 1 %\n";
    return out;
  }
  const auto worst = std::ranges::max_element(
      parts, [](const auto& a, const auto& b) { return a.second < b.second; });
  return "the GPU energy of " + plural(parts.size(), "experiment") + " is known to " +
         percent(worst->second) + " at worst (" + worst->first +
         "): their windows are too short for 1 %\n";
}

}  // namespace

std::string summary_table(const campaign::Summary& summary, const Style& style) {
  return figures_table(summary, style) + energy_lines(summary);
}

std::string brief_table(const campaign::Summary& summary, const Style& style) {
  campaign::Summary brief = summary;
  std::vector<std::string> names;
  std::erase_if(brief.rows, [&](const campaign::MetricSummary& row) {
    if (row.sampled && std::ranges::find(names, row.metric) == names.end())
      names.push_back(row.metric);
    return row.sampled;
  });
  std::string text = figures_table(brief, style);
  if (!names.empty())
    text += "sampled besides (results show --metric NAME): " + joined(names, ", ") + "\n";
  return text + energy_lines(summary);
}

std::string outcome_text(const campaign::Summary& summary, const std::vector<FailedRun>& failed,
                         const Style& style) {
  std::vector<std::string> parts = {std::to_string(summary.completed) + " completed"};
  if (summary.invalid > 0) parts.push_back(invalid_part(summary));
  std::vector<std::string> classes;
  for (const auto& [name, count] : summary.failed_by_class)
    classes.push_back(summary.failed_by_class.size() > 1 ? std::to_string(count) + " " + name
                                                         : name);
  if (summary.failed > 0)
    parts.push_back(std::to_string(summary.failed) + " failed" +
                    (classes.empty() ? "" : " (" + joined(classes, ", ") + ")"));
  if (summary.skipped > 0) parts.push_back(std::to_string(summary.skipped) + " skipped");
  const std::size_t told = summary.completed + summary.failed + summary.skipped;
  if (told < summary.runs) parts.push_back(std::to_string(summary.runs - told) + " not run");
  std::string out = plural(summary.runs, "run") + ": " + joined(parts, ", ") + "\n";
  for (std::size_t i = 0; i < failed.size() && i < most_failures_shown; ++i) {
    const FailedRun& run = failed[i];
    out += "  " + run.run + " " +
           painted(run.cls.empty() ? run.state : run.state + " (" + run.cls + ")", paint_of(run),
                   style.color);
    if (!run.message.empty()) out += ": " + run.message;
    out += run.log.empty() ? "\n" : "\n    " + run.log + "\n";
  }
  if (failed.size() > most_failures_shown)
    out += "  and " + std::to_string(failed.size() - most_failures_shown) +
           " more: campaignctl status --runs\n";
  return out;
}

std::string session_json(const SessionReport& report) {
  const SessionResult& result = *report.result;
  const campaign::Summary& summary = result.summary;
  const Json object = {
      {"schema_version", 1},
      {"campaign_id", result.manifest.campaign_id},
      {"name", result.manifest.name},
      {"session", result.manifest.session},
      {"exit_code", result.exit_code},
      {"message", result.message},
      {"already_finished", result.already_finished},
      {"runs_total", summary.runs},
      {"runs_completed", summary.completed},
      {"runs_failed", summary.failed},
      {"runs_skipped", summary.skipped},
      {"failed_runs", failed_json(report.failed)},
      {"summary", Json::parse(campaign::write_summary_json(summary))},
      {"results", result.results.folder.string()},
  };
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace controller::cli
