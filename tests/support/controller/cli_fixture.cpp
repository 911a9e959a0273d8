#include "tests/support/controller/cli_fixture.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "campaign/state/files.hpp"

namespace controller::testing {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

[[noreturn]] void become(const std::string& cwd, std::vector<std::string> words,
                         const std::pair<std::string, std::string>& outputs) {
  const auto redirect = [](const std::string& path, int to) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, to);
  };
  redirect(outputs.first, STDOUT_FILENO);
  redirect(outputs.second, STDERR_FILENO);
  if (chdir(cwd.c_str()) != 0) _exit(126);
  setenv("HOME", cwd.c_str(), 1);
  setenv("XDG_STATE_HOME", (cwd + "/xdg").c_str(), 1);
  setenv("TZ", "UTC", 1);
  unsetenv("CAMPAIGNCTL_STATE_DIR");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(CAMPAIGNCTL_PATH, argv.data());
  _exit(127);
}

campaign::Experiment experiment(int level) {
  campaign::Experiment made;
  made.name = "l" + std::to_string(level);
  made.hash = std::string(64, static_cast<char>('0' + level));
  made.axes = campaign::Value::map({{"level", campaign::Value::integer(level)}});
  made.config = made.axes;
  return made;
}

campaign::RunState state_of(campaign::RunPhase phase, double claimed, double finished) {
  campaign::RunState state;
  state.phase = phase;
  state.attempt = 1;
  state.owner = "w1";
  state.claimed_utc = claimed;
  state.started_utc = claimed + 1;
  state.finished_utc = finished;
  state.duration = finished > 0 ? finished - claimed - 1 : 0;
  state.verification = 0.5;
  return state;
}

}  // namespace

Folder::Folder() {
  std::string pattern = (fs::temp_directory_path() / "campaignctl-cli-XXXXXX").string();
  path_ = fs::canonical(mkdtemp(pattern.data()));
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string Folder::write(const std::string& name, const std::string& content) const {
  fs::create_directories((path_ / name).parent_path());
  std::ofstream(path_ / name, std::ios::binary) << content;
  return (path_ / name).string();
}

std::string Folder::tree() const {
  std::vector<std::string> lines;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path_)) {
    const std::string name = entry.path().lexically_relative(path_).string();
    const std::string content = entry.is_regular_file() ? content_of(entry.path()) : "";
    lines.push_back(name + " " + std::to_string(content.size()) + " " +
                    std::to_string(std::hash<std::string>{}(content)) + "\n");
  }
  std::sort(lines.begin(), lines.end());
  std::string tree;
  for (const std::string& line : lines) tree += line;
  return tree;
}

Outcome campaignctl(const std::string& cwd, const std::vector<std::string>& words) {
  const Folder outputs;
  const std::string out = outputs.path() + "/out", err = outputs.path() + "/err";
  std::vector<std::string> argv = {"campaignctl"};
  argv.insert(argv.end(), words.begin(), words.end());
  const pid_t child = fork();
  if (child == 0) become(cwd, argv, {out, err});
  int status = 0;
  waitpid(child, &status, 0);
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = content_of(out),
          .err = content_of(err)};
}

SessionView sample_view() {
  using campaign::RunPhase;
  SessionView view;
  view.manifest.name = "Levels";
  view.manifest.campaign_id = "levels";
  view.manifest.session = "20261121T004300Z";
  view.manifest.uid = std::string(32, 'a');
  view.manifest.plan.experiments = {experiment(1), experiment(9)};
  for (const int cycle : {1, 2})
    for (const std::uint32_t index : {0U, 1U})
      view.manifest.plan.runs.push_back({.experiment = index, .cycle = cycle, .block = 0});
  view.campaign.execution.config_gap_seconds = 1;
  view.fold.started_utc = 1000;
  view.fold.last_utc = 1022;
  view.fold.runs["l1.c01"] = state_of(RunPhase::completed, 1001, 1004);
  view.fold.runs["l9.c01"] = state_of(RunPhase::completed, 1005, 1010);
  view.fold.runs["l1.c02"] = state_of(RunPhase::failed, 1011, 1014);
  view.fold.runs["l1.c02"].final = true;
  view.fold.runs["l1.c02"].exit_code = 3;
  view.fold.runs["l1.c02"].cls = campaign::FailureClass::payload;
  view.fold.runs["l1.c02"].message = "exit code 3";
  view.fold.runs["l9.c02"] = state_of(RunPhase::running, 1019, 0);
  return view;
}

void make_session(const std::string& state_dir, const std::string& campaign_id,
                  const std::string& session) {
  const fs::path folder = fs::path(state_dir) / campaign_id / session;
  campaign::make_private_folders(folder / "journal");
}

}  // namespace controller::testing
