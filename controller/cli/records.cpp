#include "controller/cli/records.hpp"

#include "campaign/state/files.hpp"

namespace controller::cli {
namespace {

namespace fs = std::filesystem;

fs::path record_path(const SessionView& view, const std::string& id) {
  const campaign::RunState& state = view.fold.run(id);
  if (state.phase == campaign::RunPhase::completed || state.phase == campaign::RunPhase::aggregated)
    return view.results.raw(id) / "run.json";
  if (state.phase == campaign::RunPhase::failed && state.final)
    return view.results.attempt(campaign::attempt_name(id, state.attempt)) / "run.json";
  return {};
}

}  // namespace

SessionRecords read_records(const SessionView& view) {
  SessionRecords found;
  for (const campaign::PlannedRun& planned : view.manifest.plan.runs) {
    const fs::path path = record_path(view, campaign::run_id(view.manifest.plan, planned));
    if (path.empty()) continue;
    try {
      found.records.push_back(campaign::read_run_record(campaign::read_file(path)));
    } catch (const std::exception& error) {
      found.unreadable.push_back(path.string() + ": " + error.what());
    }
  }
  return found;
}

std::optional<campaign::RunRecord> read_record(const SessionView& view, const std::string& run) {
  const fs::path path = record_path(view, run);
  if (path.empty()) return std::nullopt;
  try {
    return campaign::read_run_record(campaign::read_file(path));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace controller::cli
