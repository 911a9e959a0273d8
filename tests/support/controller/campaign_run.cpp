#include "tests/support/controller/campaign_run.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace controller::test {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (auto& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

bool readable(int fd, int seconds) {
  pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&wanted, 1, seconds * 1000) == 1;
}

}  // namespace

CampaignRun::CampaignRun() {
  std::string path = fs::temp_directory_path() / "campaign-run-XXXXXX";
  if (!mkdtemp(path.data())) fail(path);
  folder_ = path;
  set_environment("XDG_STATE_HOME", path + "/xdg");
}

CampaignRun::~CampaignRun() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (const auto& [name, fd] : fifos_) close(fd);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void CampaignRun::write(const std::string& name, const std::string& text) const {
  fs::create_directories((folder_ / name).parent_path());
  std::ofstream(folder_ / name, std::ios::binary) << text;
}

std::string CampaignRun::read(const std::string& name) const { return text_of(folder_ / name); }

void CampaignRun::set_environment(const std::string& name, const std::string& value) {
  environment_.push_back(name + "=" + value);
}

void CampaignRun::start(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {"/usr/bin/env"};
  argv.insert(argv.end(), environment_.begin(), environment_.end());
  argv.insert(argv.end(), prefix_.begin(), prefix_.end());
  argv.push_back(CAMPAIGNCTL_PATH);
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const auto words = pointers(argv);
  pid_ = fork();
  if (pid_ < 0) fail("fork");
  if (pid_ > 0) return;
  const int out = open((folder_ / "out.txt").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (chdir(folder_.c_str()) != 0 || out < 0) _exit(125);
  dup2(open("/dev/null", O_RDONLY), 0);
  dup2(out, 1);
  dup2(out, 2);
  execv(words[0], words.data());
  _exit(125);
}

Ended CampaignRun::finish() {
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  const bool ended = pidfd >= 0 && readable(pidfd, 120);
  close(pidfd);
  if (!ended)
    throw std::runtime_error("campaignctl did not end within two minutes: " + read("out.txt"));
  int status = 0;
  waitpid(std::exchange(pid_, 0), &status, 0);
  return {.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
          .output = read("out.txt")};
}

Ended CampaignRun::run(const std::vector<std::string>& arguments) {
  start(arguments);
  return finish();
}

Ended CampaignRun::up(const std::string& campaign) {
  write("campaign.yaml", campaign);
  return run({"up", "campaign.yaml"});
}

fs::path CampaignRun::results() const { return folder_ / "results/k/latest"; }

std::string CampaignRun::result(const std::string& run, const std::string& file) const {
  return text_of(results() / "raw" / run / file);
}

std::string CampaignRun::of_attempt(const std::string& attempt, const std::string& file) const {
  const fs::path kept = results() / "attempts" / attempt / file;
  return text_of(fs::exists(kept) ? kept : results() / "ctl" / attempt / file);
}

nlohmann::json CampaignRun::record(const std::string& run) const {
  return nlohmann::json::parse(result(run, "run.json"));
}

nlohmann::json CampaignRun::failed(const std::string& attempt) const {
  return nlohmann::json::parse(of_attempt(attempt, "run.json"));
}

std::string CampaignRun::lock() const { return folder_ / ".state/k/controller.lock"; }

void CampaignRun::make_fifo(const std::string& name) {
  const fs::path path = folder_ / name;
  if (mkfifo(path.c_str(), 0666) != 0) fail(name);
  fs::permissions(path, fs::perms(0666));
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) fail(name);
  fifos_[name] = fd;
}

void CampaignRun::await_line(const std::string& name) const {
  if (!readable(fifos_.at(name), 60))
    throw std::runtime_error("nobody wrote to " + name + " within a minute: " + read("out.txt"));
  char line[256];
  if (::read(fifos_.at(name), line, sizeof line) < 0) fail(name);
}

void CampaignRun::send_line(const std::string& name) const {
  if (::write(fifos_.at(name), "go\n", 3) != 3) fail(name);
}

}  // namespace controller::test
