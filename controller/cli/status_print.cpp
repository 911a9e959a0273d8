#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "controller/cli/status_report.hpp"

namespace controller::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t bar_width = 20;
constexpr int most_cycles_shown = 20;  // the latest; --json has them all

Paint paint_of(const std::string& state) {
  if (state == "running" || state == "finished" || state == "completed" || state == "done")
    return Paint::green;
  if (state == "failed" || state == "gone") return Paint::red;
  return state == "pending" ? Paint::dim : Paint::yellow;
}

std::string header(const StatusReport& report, const Style& style) {
  std::string line = painted(report.name, Paint::bold, style.color) + "  " +
                     painted(report.state, paint_of(report.state), style.color) + "  " +
                     duration(report.duration);
  if (report.cycle > 0)
    line += "  cycle " + std::to_string(report.cycle) + " of " + std::to_string(report.cycles);
  if (report.wait) line += "   waits: " + report.wait->reason;
  if (!report.detail.empty()) line += "   " + report.detail;
  return line + "\n";
}

std::string bar_line(const StatusReport& report, const Style& style) {
  const std::size_t done = report.completed + report.failed + report.skipped;
  const std::size_t percent = report.total == 0 ? 100 : done * 100 / report.total;
  std::string line = painted(bar(done, report.total, bar_width),
                             report.failed > 0 ? Paint::yellow : Paint::green, style.color) +
                     " " + std::to_string(percent) + "% (" + std::to_string(done) + "/" +
                     std::to_string(report.total) + " runs";
  if (report.failed > 0) line += ", " + std::to_string(report.failed) + " failed";
  if (report.skipped > 0) line += ", " + std::to_string(report.skipped) + " skipped";
  line += ")";
  if (report.remaining && done < report.total)
    line += "   about " + about(*report.remaining) + " left";
  return line + "\n";
}

std::string cycles_table(const StatusReport& report, const Style& style) {
  Table table({{"cycle"}, {"state"}, {"time"}, {"runs"}, {"avg"}, {"p50"}, {"p95"}});
  for (const CycleFigures& cycle : report.cycles_list) {
    if (cycle.state == "pending" || cycle.cycle <= report.cycle - most_cycles_shown) continue;
    table.add({std::to_string(cycle.cycle),
               painted(cycle.state, paint_of(cycle.state), style.color), duration(cycle.duration),
               std::to_string(cycle.completed) + "/" + std::to_string(cycle.runs),
               duration(cycle.mean), duration(cycle.p50), duration(cycle.p95)});
  }
  if (table.empty()) return "";
  const int left_out = report.cycle - most_cycles_shown;
  return table.text() +
         (left_out > 0 ? "and " + plural(static_cast<std::size_t>(left_out), "earlier cycle") + "\n"
                       : "");
}

// The shortest beginning of UUIDs that tells the GPUs of all workers apart.
std::size_t uuid_columns(const StatusReport& report) {
  constexpr std::size_t least = sizeof("GPU-8f1e") - 1;
  std::set<std::string> all;
  for (const WorkerFigures& worker : report.workers)
    all.insert(worker.gpus.begin(), worker.gpus.end());
  std::size_t needed = all.empty() ? 0 : least;
  const std::string* before = nullptr;
  for (const std::string& uuid : all) {
    while (before && uuid.compare(0, needed, *before, 0, needed) == 0) ++needed;
    before = &uuid;
  }
  return needed;
}

std::string gpus_text(const WorkerFigures& worker, std::size_t columns) {
  std::vector<std::string> names;
  for (const std::string& uuid : worker.gpus) names.push_back(uuid.substr(0, columns));
  return names.empty() ? "-" : joined(names, ",");
}

std::string now_text(const WorkerFigures& worker) {
  if (!worker.run.empty()) return worker.run + " " + worker.stage;
  return worker.wait.empty() ? "" : "waits: " + worker.wait;
}

std::string workers_table(const StatusReport& report) {
  const std::size_t uuids = uuid_columns(report);
  std::vector<Table::Column> columns = {{"worker"}, {"init"},   {"runs"}, {"failed"},
                                        {"avg"},    {"uptime"}, {"now"}};
  if (uuids > 0) columns.insert(columns.end() - 1, {"gpus"});
  Table table(std::move(columns));
  for (const WorkerFigures& worker : report.workers) {
    std::vector<std::string> cells = {std::to_string(worker.id),
                                      duration(worker.initialization),
                                      std::to_string(worker.completed),
                                      std::to_string(worker.failed),
                                      duration(worker.mean),
                                      duration(worker.uptime)};
    if (uuids > 0) cells.push_back(gpus_text(worker, uuids));
    cells.push_back(now_text(worker));
    table.add(std::move(cells));
  }
  return table.empty() ? "" : table.text();
}

std::string services_table(const StatusReport& report, const Style& style) {
  Table table({{"service"}, {"worker"}, {"state"}, {"for"}, {"restarts"}, {"name"}});
  for (const auto& one : report.services)
    table.add({one.service, one.worker ? std::to_string(*one.worker) : "-",
               painted(one.state, paint_of(one.state), style.color),
               duration(one.since_utc ? std::optional(report.computed_utc - *one.since_utc)
                                      : std::nullopt),
               std::to_string(one.restarts), one.name});
  return table.empty() ? "" : table.text();
}

std::string runs_table(const StatusReport& report, const Style& style) {
  using Align = Table::Align;
  Table table({{"run"},
               {"state"},
               {"attempt", Align::right},
               {"class"},
               {"wait", Align::right},
               {"run time", Align::right},
               {"total", Align::right}});
  for (const RunFigures& run : report.runs)
    table.add({run.run,
               run.invalid.empty() ? painted(run.state, paint_of(run.state), style.color)
                                   : painted(run.state + ", invalid", Paint::yellow, style.color),
               run.attempt == 0 ? "-" : std::to_string(run.attempt), run.cls,
               duration(run.queue_wait), duration(run.execution), duration(run.total)});
  return table.empty() ? "" : table.text();
}

Json milliseconds(const std::optional<double>& seconds) {
  return seconds ? Json(static_cast<std::int64_t>(std::llround(*seconds * 1000))) : Json(nullptr);
}

Json wait_json(const std::optional<WaitFigures>& wait) {
  if (!wait) return nullptr;
  return {{"stage", wait->stage},
          {"reason", wait->reason},
          {"until", wait->until_utc ? Json(campaign::rfc3339(*wait->until_utc)) : Json(nullptr)}};
}

Json cycles_json(const StatusReport& report) {
  Json list = Json::array();
  for (const CycleFigures& cycle : report.cycles_list)
    list.push_back({{"cycle", cycle.cycle},
                    {"state", cycle.state},
                    {"duration_ms", milliseconds(cycle.duration)},
                    {"run_count", cycle.runs},
                    {"completed_count", cycle.completed},
                    {"failed_count", cycle.failed},
                    {"avg_run_duration_ms", milliseconds(cycle.mean)},
                    {"p50_duration_ms", milliseconds(cycle.p50)},
                    {"p95_duration_ms", milliseconds(cycle.p95)}});
  return list;
}

Json workers_json(const StatusReport& report) {
  Json list = Json::array();
  for (const WorkerFigures& worker : report.workers)
    list.push_back({{"worker_id", worker.id},
                    {"initialization_ms", milliseconds(worker.initialization)},
                    {"uptime_ms", milliseconds(worker.uptime)},
                    {"runs_completed", worker.completed},
                    {"runs_failed", worker.failed},
                    {"total_run_duration_ms", milliseconds(worker.total)},
                    {"avg_run_duration_ms", milliseconds(worker.mean)},
                    {"gpus", worker.gpus}});
  return list;
}

Json services_json(const StatusReport& report) {
  Json list = Json::array();
  for (const auto& one : report.services)
    list.push_back(
        {{"name", one.name},
         {"service", one.service},
         {"worker", one.worker ? Json(*one.worker) : Json(nullptr)},
         {"state", one.state},
         {"since", one.since_utc ? Json(campaign::rfc3339(*one.since_utc)) : Json(nullptr)},
         {"restarts", one.restarts}});
  return list;
}

Json runs_json(const StatusReport& report) {
  Json list = Json::array();
  for (const RunFigures& run : report.runs)
    list.push_back({{"run_id", run.run},
                    {"experiment", run.experiment},
                    {"cycle", run.cycle},
                    {"state", run.state},
                    {"attempt", run.attempt},
                    {"class", run.cls.empty() ? Json(nullptr) : Json(run.cls)},
                    {"invalid_reason", run.invalid.empty() ? Json(nullptr) : Json(run.invalid)},
                    {"queue_wait_ms", milliseconds(run.queue_wait)},
                    {"execution_duration_ms", milliseconds(run.execution)},
                    {"verification_duration_ms", milliseconds(run.verification)},
                    {"total_duration_ms", milliseconds(run.total)}});
  return list;
}

Json report_json(const StatusReport& report, const StatusParts& parts) {
  Json object = {{"schema_version", 1},
                 {"campaign_id", report.campaign_id},
                 {"name", report.name},
                 {"session", report.session},
                 {"state", report.state},
                 {"computed_at", campaign::rfc3339(report.computed_utc)},
                 {"total_duration_ms", milliseconds(report.duration)},
                 {"runs_total", report.total},
                 {"runs_completed", report.completed},
                 {"runs_failed", report.failed},
                 {"runs_running", report.running},
                 {"runs_pending", report.pending},
                 {"runs_skipped", report.skipped},
                 {"workers_used", report.workers.size()},
                 {"cycles_completed", report.cycles_completed},
                 {"wait", wait_json(report.wait)},
                 {"cycles", cycles_json(report)},
                 {"workers", workers_json(report)},
                 {"services", services_json(report)}};
  if (parts.runs) object["runs"] = runs_json(report);
  if (!report.warnings.empty()) object["warnings"] = report.warnings;
  return object;
}

std::string dumped(const Json& object) {
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string status_text(const StatusReport& report, const StatusParts& parts, const Style& style) {
  std::string out = header(report, style) + bar_line(report, style);
  for (const std::string& warning : report.warnings)
    out += painted("warning: ", Paint::yellow, style.color) + warning + "\n";
  out += cycles_table(report, style);
  if (parts.workers || report.state == "running") out += workers_table(report);
  out += services_table(report, style);
  if (parts.runs) out += runs_table(report, style);
  return out;
}

std::string status_json(const StatusReport& report, const StatusParts& parts) {
  return dumped(report_json(report, parts));
}

std::string status_json(const std::vector<StatusReport>& reports, const StatusParts& parts) {
  Json campaigns = Json::array();
  for (const StatusReport& report : reports) campaigns.push_back(report_json(report, parts));
  return dumped({{"schema_version", 1}, {"campaigns", campaigns}});
}

}  // namespace controller::cli
