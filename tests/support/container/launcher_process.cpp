#include "tests/support/container/launcher_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace container::testing {
namespace {

constexpr int bound_ms = 60'000, payload_hears = 8, payload_speaks = 9;

struct Pipe {
  int read_end, write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  return {ends[0], ends[1]};
}

void wait_readable(int fd) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  if (poll(&waiting, 1, bound_ms) != 1) throw std::runtime_error("nothing came within 60 s");
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> command_line(const LaunchedProcess::Setup& setup) {
  std::vector<std::string> words{LAUNCHER_PATH, "--run", "tiny.c01.a1", "--out", setup.out};
  words.insert(words.end(), setup.flags.begin(), setup.flags.end());
  words.emplace_back("--");
  words.insert(words.end(), setup.command.begin(), setup.command.end());
  return words;
}

// Reads what is there; false: the stream has ended.
bool read_some(int fd, std::string& text) {
  std::array<char, 65536> buffer{};
  const ssize_t n = read(fd, buffer.data(), buffer.size());
  if (n > 0) text.append(buffer.data(), static_cast<std::size_t>(n));
  return n > 0;
}

}  // namespace

LaunchedProcess::LaunchedProcess(const Setup& setup) {
  std::vector<std::string> words = command_line(setup);
  const std::vector<char*> argv = pointers(words);
  const Pipe hear = make_pipe(), tell = make_pipe(), out = make_pipe(), err = make_pipe();
  pid_ = fork();
  if (pid_ == 0) {
    const int heard = fcntl(tell.read_end, F_DUPFD_CLOEXEC, 20);
    const int spoken = fcntl(hear.write_end, F_DUPFD_CLOEXEC, 20);
    dup2(out.write_end, STDOUT_FILENO);
    dup2(err.write_end, STDERR_FILENO);
    dup2(heard, payload_hears);
    dup2(spoken, payload_speaks);
    for (const auto& [name, value] : setup.env) setenv(name.c_str(), value.c_str(), 1);
    const rlimit limit{.rlim_cur = setup.file_size_limit, .rlim_max = setup.file_size_limit};
    if (setup.file_size_limit != 0) setrlimit(RLIMIT_FSIZE, &limit);
    execv(argv[0], argv.data());
    _exit(99);
  }
  for (const int fd : {tell.read_end, hear.write_end, out.write_end, err.write_end}) close(fd);
  hear_ = hear.read_end;
  tell_ = tell.write_end;
  out_ = out.read_end;
  err_ = err.read_end;
}

LaunchedProcess::~LaunchedProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (const int fd : {hear_, tell_, out_, err_}) close(fd);
}

std::string LaunchedProcess::hear() {
  std::string line;
  for (char letter = 0; letter != '\n';) {
    wait_readable(hear_);
    if (read(hear_, &letter, 1) != 1) throw std::runtime_error("the payload said no more");
    line += letter;
  }
  line.pop_back();
  return line;
}

void LaunchedProcess::tell(const std::string& line) {
  const std::string text = line + "\n";
  if (write(tell_, text.data(), text.size()) < 0) throw std::runtime_error("tell");
}

LaunchedProcess::End LaunchedProcess::finish() {
  End end;
  for (bool out = true, err = true; out || err;) {
    std::array<pollfd, 2> waiting{{{out ? out_ : -1, POLLIN, 0}, {err ? err_ : -1, POLLIN, 0}}};
    if (poll(waiting.data(), waiting.size(), bound_ms) < 1)
      throw std::runtime_error("the launcher did not end within 60 s");
    if (waiting[0].revents != 0) out = read_some(out_, end.out);
    if (waiting[1].revents != 0) err = read_some(err_, end.err);
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  return end;
}

LaunchedProcess::End launch(const LaunchedProcess::Setup& setup) {
  return LaunchedProcess(setup).finish();
}

ScratchFolder::ScratchFolder() {
  std::string name = std::filesystem::temp_directory_path() / "launcher-XXXXXX";
  if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

NameWatch::NameWatch(const std::filesystem::path& folder) : fd_(inotify_init1(IN_CLOEXEC)) {
  if (inotify_add_watch(fd_, folder.c_str(), IN_CREATE | IN_MOVED_TO) < 0)
    throw std::runtime_error("inotify_add_watch");
}

NameWatch::~NameWatch() { close(fd_); }

void NameWatch::wait_for(const std::string& name) {
  for (;;) {
    wait_readable(fd_);
    alignas(inotify_event) std::array<char, 4096> buffer{};
    const ssize_t n = read(fd_, buffer.data(), buffer.size());
    for (ssize_t at = 0; at < n;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      if (event->len > 0 && name == event->name) return;
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
}

WatchedProcess::WatchedProcess(pid_t pid) : fd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {
  if (fd_ < 0) throw std::runtime_error("no process " + std::to_string(pid));
}

WatchedProcess::~WatchedProcess() { close(fd_); }

bool WatchedProcess::has_ended() const {
  pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, 0) == 1;
}

void WatchedProcess::wait_for_end() const { wait_readable(fd_); }

std::string read_text(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

nlohmann::json outcome_in(const std::filesystem::path& folder) {
  return nlohmann::json::parse(read_text(folder / "outcome.json"));
}

}  // namespace container::testing
