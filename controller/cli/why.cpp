#include "controller/cli/why.hpp"

#include <nlohmann/json.hpp>

#include "controller/cli/commands.hpp"
#include "controller/cli/record_text.hpp"
#include "controller/cli/records.hpp"
#include "controller/cli/summary.hpp"

namespace controller::cli {
namespace {

using campaign::RunPhase;
using campaign::RunState;
using Json = nlohmann::ordered_json;

std::string reason_of(const SessionView& view, const RunState& state) {
  switch (state.phase) {
    case RunPhase::pending:
      return view.fold.finished ? "it has not run, and the session has ended"
                                : "its turn has not come";
    case RunPhase::initialised:
      return "it is being prepared, or waits for its gap";
    case RunPhase::running:
      return "its process runs";
    case RunPhase::completed:
    case RunPhase::aggregated:
      return "its results were verified and accepted";
    case RunPhase::failed:
      if (state.final) return "no attempts are left; `up --retry RUN` gives it another";
      return "it gets another attempt" +
             (state.retry_not_before_utc > 0
                  ? " after " + campaign::rfc3339(state.retry_not_before_utc, 0)
                  : std::string());
    case RunPhase::interrupted:
      return "the controller or its engine was lost; it runs again";
    case RunPhase::skipped:
      return "it was skipped; `up --retry` takes it up again";
  }
  return "";
}

bool is_accepted(const RunState& state) {
  return state.phase == RunPhase::completed || state.phase == RunPhase::aggregated;
}

void add_record(WhyReport& report, const campaign::RunRecord& record) {
  report.notes = record.notes;
  report.valid = record.valid;
  if (record.valid) return;
  report.invalid_reason = record.invalid_reason;
  if (record.state == "completed")
    report.reason += ", but its figures do not count: " +
                     (record.invalid_reason.empty() ? "no reason recorded" : record.invalid_reason);
}

}  // namespace

WhyReport make_why(const SessionView& view, const std::string& run) {
  const campaign::PlannedRun& planned = one_run(view, run);
  const std::string id = campaign::run_id(view.manifest.plan, planned);
  const RunState& state = view.fold.run(id);
  WhyReport report{
      .run = id,
      .experiment = view.manifest.plan.experiments[planned.experiment].name,
      .state = campaign::name_of(state.phase),
      .cls = state.cls == campaign::FailureClass::none ? "" : campaign::name_of(state.cls),
      .message = is_accepted(state) ? "" : state.message,  // its record says more
      .log = state.attempt > 0 ? log_of(view.results, id, state.attempt) : "",
      .reason = reason_of(view, state),
      .attempt = state.attempt,
      .valid = {},
      .invalid_reason = "",
      .notes = {},
      .records = {}};
  if (const auto record = read_record(view, id)) add_record(report, *record);
  campaign::read_journals(view.located.session.journal(), {}, [&](campaign::Record&& record) {
    const RecordText text = record_text(record);
    if (text.run == id) report.records.push_back({record.t, text.event, text.members});
  });
  return report;
}

std::string why_text(const WhyReport& report, const Style& style) {
  std::string out = painted(report.run, Paint::bold, style.color) + "  " + report.state;
  if (!report.cls.empty()) out += " (" + report.cls + ")";
  if (report.attempt > 0) out += ", attempt " + std::to_string(report.attempt);
  out += ": " + report.reason + "\n";
  if (!report.message.empty()) out += "  " + report.message + "\n";
  if (!report.log.empty()) out += "  log: " + report.log + "\n";
  for (const std::string& note : report.notes) out += "  note: " + note + "\n";
  for (const WhyReport::Line& line : report.records)
    out += "  " + line.time + "  " + line.event + (line.members.empty() ? "" : "  ") +
           line.members + "\n";
  return out;
}

std::string why_json(const WhyReport& report) {
  Json records = Json::array();
  for (const WhyReport::Line& line : report.records)
    records.push_back({{"t", line.time}, {"event", line.event}, {"members", line.members}});
  const Json object = {
      {"schema_version", 1},
      {"run_id", report.run},
      {"experiment", report.experiment},
      {"state", report.state},
      {"class", report.cls.empty() ? Json(nullptr) : Json(report.cls)},
      {"attempt", report.attempt},
      {"reason", report.reason},
      {"valid", report.valid ? Json(*report.valid) : Json(nullptr)},
      {"invalid_reason",
       report.invalid_reason.empty() ? Json(nullptr) : Json(report.invalid_reason)},
      {"notes", report.notes},
      {"message", report.message},
      {"log", report.log.empty() ? Json(nullptr) : Json(report.log)},
      {"records", records}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace controller::cli
