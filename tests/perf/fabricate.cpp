// Makes the state of a session of the given campaign file in which every run has completed, through
// the same code that a controller uses: manifest, journal, snapshot, links, summary.json. Results
// folders of runs are not made. Prints, as JSON, what appending one record cost near its beginning
// and near its end.
//
//   fabricate FILE [--open] [--stale RECORDS]
//     --open            the last run of the plan is still pending, and the session has not ended
//     --stale RECORDS   the snapshot lacks that many of the last records (as a kill leaves it)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "campaign/config/loader.hpp"
#include "campaign/plan/hash.hpp"
#include "campaign/results/summary.hpp"
#include "campaign/state/files.hpp"
#include "campaign/state/session_state.hpp"

namespace {

namespace fs = std::filesystem;
using namespace campaign;

constexpr double run_seconds = 0.13;
constexpr std::size_t batch_runs = 1000, probe_at[] = {1000, 400000}, probe_records = 200;

struct Options {
  std::string file;
  bool open = false;
  std::size_t stale = 0;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

class Session {
 public:
  explicit Session(const Options& options)
      : options_(options),
        campaign_(load_campaign({.path = options.file, .environment = process_environment()})) {
    manifest_ = {.uid = draw_uid(),
                 .session = "20260101T000000Z",
                 .created_utc = begin_utc,
                 .campaign_id = campaign_.id,
                 .name = campaign_.name,
                 .file = campaign_.file,
                 .document = campaign_.document,
                 .plan = make_plan(campaign_),
                 .state_dir = campaign_.io.state_dir,
                 .results_dir = campaign_.io.results_dir,
                 .environment = {{"host", "fabricated"}}};
    manifest_.config_hash = sha256_hex(canonical_json(manifest_.document));
    session_.folder = fs::path(campaign_.io.state_dir) / campaign_.id / manifest_.session;
    results_ = fs::path(campaign_.io.results_dir) / campaign_.id / manifest_.session;
  }

  void make() {
    for (const fs::path& folder : {session_.journal(), session_.heartbeat(), session_.control(),
                                   results_ / "raw", results_ / "attempts", results_ / "ctl"})
      make_private_folders(folder);
    store_manifest(session_, manifest_, 0);
    journal_ = Journal::create(session_.journal(), system_clock());
    append({event::SessionStarted{.uid = manifest_.uid,
                                  .session = manifest_.session,
                                  .campaign_id = manifest_.campaign_id},
            event::ControllerStarted{.host = "fabricated", .pid = 1, .version = "0"}});
    add_runs();
    if (!options_.open) append({event::Finished{.exit_code = 0}});
    if (!snapshot_taken_) take_snapshot();
    write_atomically(results_ / "summary.json", write_summary_json(summary()));
    for (const fs::path& folder : {session_.folder, results_})
      fs::create_directory_symlink(folder.filename(), folder.parent_path() / "latest");
  }

  void print() const {
    std::printf("{\"runs\":%zu,\"records\":%zu,\"append_us\":{", manifest_.plan.runs.size(),
                records_);
    const char* comma = "";
    for (const auto& [at, micros] : appended_) {
      std::printf("%s\"%zu\":%.1f", comma, at, micros);
      comma = ",";
    }
    std::printf("}}\n");
  }

 private:
  static constexpr double begin_utc = 1767225600;

  void append(const std::vector<Event>& events) {
    journal_->append(events);
    for (const Record& record : journal_->last_appended()) apply(fold_, record);
    records_ += events.size();
  }

  // What one append costs, with the fold that follows it, as a controller does it.
  void probe(std::size_t at, const std::vector<Event>& events) {
    using Clock = std::chrono::steady_clock;
    std::vector<double> micros;
    for (std::size_t i = 0; i < std::min(probe_records, events.size()); ++i) {
      const auto begin = Clock::now();
      append({events[i]});
      micros.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
    append(std::vector<Event>(events.begin() + static_cast<std::ptrdiff_t>(micros.size()),
                              events.end()));
    appended_.emplace_back(at, median(std::move(micros)));
  }

  void add_runs() {
    const std::size_t count = manifest_.plan.runs.size() - (options_.open ? 1 : 0);
    const std::size_t total = 4 * count + static_cast<std::size_t>(campaign_.execution.cycles) + 3;
    for (std::size_t first = 0; first < count; first += batch_runs) {
      std::vector<Event> events;
      for (std::size_t i = first; i < std::min(count, first + batch_runs); ++i) add_run(i, events);
      const auto due = std::ranges::find_if(probe_at, [&](std::size_t at) {
        return records_ <= at && at < records_ + events.size() + 3;
      });
      if (due == std::end(probe_at))
        append(events);
      else
        probe(*due, events);
      if (options_.stale > 0 && !snapshot_taken_ && records_ + options_.stale >= total)
        take_snapshot();
    }
  }

  void add_run(std::size_t index, std::vector<Event>& events) const {
    const PlannedRun& planned = manifest_.plan.runs[index];
    const std::string run = run_id(manifest_.plan, planned);
    const double claimed = begin_utc + static_cast<double>(index) * run_seconds;
    if (index == 0 || manifest_.plan.runs[index - 1].cycle != planned.cycle)
      events.push_back(event::CycleEntered{.cycle = planned.cycle});
    events.push_back(
        event::Claimed{.run = run, .host = "fabricated", .position = static_cast<int>(index) + 1});
    events.push_back(
        event::Starting{.run = run, .pid = 4242, .pid_start = 424242, .utc = claimed + 0.01});
    events.push_back(event::Exited{
        .run = run, .exit_code = 0, .how = "exited", .finished_utc = claimed + run_seconds - 0.01});
    events.push_back(event::Completed{.run = run,
                                      .duration = run_seconds - 0.02,
                                      .finished_boottime = 1000 + claimed - begin_utc,
                                      .finished_utc = claimed + run_seconds - 0.01,
                                      .started_utc = claimed + 0.01,
                                      .stages = {{"collect", 0.003},
                                                 {"gap", 0.0001},
                                                 {"measure", 0.1},
                                                 {"prepare", 0.02},
                                                 {"start", 0.03}}});
  }

  void take_snapshot() {
    snapshot_taken_ = true;
    store_snapshot(session_,
                   {.fold = fold_, .offsets = {{journal_->writer(), journal_->offset()}}});
  }

  Summary summary() const {
    Summary made{.campaign_id = manifest_.campaign_id,
                 .session = manifest_.session,
                 .runs = manifest_.plan.runs.size()};
    made.completed = made.runs;
    for (const Experiment& experiment : manifest_.plan.experiments)
      made.rows.push_back({.group = experiment.name,
                           .axes = experiment.axes,
                           .metric = "measure_seconds",
                           .unit = "s",
                           .n = made.runs / manifest_.plan.experiments.size(),
                           .mean = run_seconds,
                           .sd = 0.001,
                           .window = "process"});
    return made;
  }

  const Options& options_;
  Campaign campaign_;
  Manifest manifest_;
  SessionFolder session_;
  fs::path results_;
  Fold fold_;
  std::unique_ptr<Journal> journal_;
  std::size_t records_ = 0;
  bool snapshot_taken_ = false;
  std::vector<std::pair<std::size_t, double>> appended_;
};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--open") == 0)
      options.open = true;
    else if (std::strcmp(argv[i], "--stale") == 0 && i + 1 < argc)
      options.stale = std::stoul(argv[++i]);
    else if (options.file.empty() && argv[i][0] != '-')
      options.file = argv[i];
    else
      return false;
  }
  return !options.file.empty();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs("usage: fabricate FILE [--open] [--stale RECORDS]\n", stderr);
    return 2;
  }
  try {
    Session session(options);
    session.make();
    session.print();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
