#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "controller/cli/commands.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds between_looks{200};

// The two logs of an attempt: its accepted folder, else the attempt's, else under way in ctl.
struct LogFiles {
  std::string run, state;
  int attempt = 0;
  fs::path out, err;
};

int accepted_attempt(const SessionView& view, const std::string& run) {
  const campaign::RunState& state = view.fold.run(run);
  const bool accepted =
      state.phase == campaign::RunPhase::completed || state.phase == campaign::RunPhase::aggregated;
  return accepted ? state.attempt : 0;
}

fs::path log_folder(const SessionView& view, const std::string& run, int attempt) {
  const std::string name = campaign::attempt_name(run, attempt);
  std::vector<fs::path> candidates;
  if (attempt == accepted_attempt(view, run)) candidates.push_back(view.results.raw(run));
  candidates.push_back(view.results.attempt(name));
  candidates.push_back(view.results.superseded(name));
  candidates.push_back(view.results.ctl(name));
  std::error_code ignored;
  for (const fs::path& folder : candidates)
    if (fs::exists(folder / "stdout.log", ignored)) return folder;
  return {};
}

LogFiles find_logs(const SessionView& view, const LogsArguments& logs) {
  const std::string run = campaign::run_id(view.manifest.plan, one_run(view, logs.run));
  const campaign::RunState& state = view.fold.run(run);
  LogFiles files{.run = run, .state = campaign::name_of(state.phase), .out = {}, .err = {}};
  files.attempt = logs.attempt > 0 ? logs.attempt : state.attempt;
  if (files.attempt == 0)
    throw CommandError(ExitCode::usage, run + " has not run yet, it has no log");
  const fs::path folder = log_folder(view, run, files.attempt);
  if (folder.empty() && !logs.follow)
    throw CommandError(ExitCode::usage, run + ": no log of attempt " +
                                            std::to_string(files.attempt) + " in " +
                                            view.results.folder.string());
  if (!folder.empty()) {
    files.out = folder / "stdout.log";
    files.err = folder / "stderr.log";
  }
  return files;
}

// Copies what a file holds from `offset` on.
void copy_from(const fs::path& path, std::streamoff& offset, std::ostream& to) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return;
  file.seekg(offset);
  char buffer[65536];
  while (file.read(buffer, sizeof buffer), file.gcount() > 0) {
    to.write(buffer, file.gcount());
    offset += file.gcount();
  }
  to.flush();
}

bool under_way(const LogFiles& files, const SessionView& view) {
  const campaign::RunState& state = view.fold.run(files.run);
  return state.attempt == files.attempt && (state.phase == campaign::RunPhase::initialised ||
                                            state.phase == campaign::RunPhase::running);
}

// The files move when the run is collected; what was printed counts on, their content does not
// change.
void follow(const Located& located, const LogsArguments& logs, Console& console) {
  std::streamoff out = 0, err = 0;
  LogsArguments wanted = logs;
  for (;;) {
    const SessionView view = read_session(located);
    const LogFiles files = find_logs(view, wanted);
    wanted.attempt = files.attempt;
    if (!files.out.empty()) {
      copy_from(files.out, out, console.out);
      copy_from(files.err, err, console.err);
    }
    const bool alive = controller_is_alive(located);
    if (!console.out || !under_way(files, view) || !alive) return;
    std::this_thread::sleep_for(between_looks);
  }
}

std::string logs_json(const LogFiles& files) {
  const Json object = {{"schema_version", 1},
                       {"run_id", files.run},
                       {"attempt", files.attempt},
                       {"state", files.state},
                       {"stdout_log", files.out.string()},
                       {"stderr_log", files.err.string()},
                       {"stdout_tail", campaign::log_tail(files.out, {})},
                       {"stderr_tail", campaign::log_tail(files.err, {})}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

int logs_command(const Arguments& arguments, Console& console) {
  const LogsArguments& logs = arguments.logs;
  const Located located = locate(locate_request(arguments, logs.campaign));
  if (logs.follow && !arguments.global.json) {
    follow(located, logs, console);
    return 0;
  }
  const LogFiles files = find_logs(read_session(located), logs);
  if (arguments.global.json) {
    console.out << logs_json(files);
    return 0;
  }
  std::streamoff out = 0, err = 0;
  copy_from(files.out, out, console.out);
  copy_from(files.err, err, console.err);
  return 0;
}

}  // namespace controller::cli
