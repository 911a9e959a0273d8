#include "controller/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/process/v2/environment.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/src.hpp>
#include <boost/process/v2/start_dir.hpp>
#include <boost/process/v2/stdio.hpp>
#include <fstream>
#include <memory>
#include <system_error>

extern char** environ;

namespace controller {

namespace asio = boost::asio;
namespace bp = boost::process::v2;

namespace {

// Own session: no signal of our terminal reaches it, and it is a process group that can be killed
// whole.
struct NewSession {
  template <class Launcher>
  bp::error_code on_exec_setup(Launcher&, const bp::filesystem::path&, const char* const*&) const {
    setsid();
    return {};
  }
};

std::vector<std::string> whole_environment(const std::map<std::string, std::string>& over) {
  std::vector<std::string> lines;
  for (char** entry = environ; *entry; ++entry) {
    const std::string line = *entry;
    if (!over.contains(line.substr(0, line.find('=')))) lines.push_back(line);
  }
  for (const auto& [name, value] : over) lines.push_back(name + "=" + value);
  return lines;
}

bp::filesystem::path find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  return bp::environment::find_executable(name);
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// Starts it and leaves it to us: a Boost process object would kill it when it goes out of scope.
std::int64_t start(const asio::any_io_executor& executor, const Command& command, int input) {
  Fd log(open(command.log.empty() ? "/dev/null" : command.log.c_str(),
              O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log.get() < 0) throw std::system_error(errno, std::generic_category(), command.log);
  const auto program = find_program(command.argv.front());
  if (program.empty())
    throw std::system_error(ENOENT, std::generic_category(), command.argv.front());
  const std::vector<std::string> arguments(command.argv.begin() + 1, command.argv.end());
  const std::vector<std::string> environment = whole_environment(command.env);
  bp::process_stdio stdio{input, log.get(), log.get()};
  const std::string cwd = command.cwd.empty() ? "." : command.cwd;
  bp::error_code error;
  bp::default_process_launcher launcher;
  bp::process process =
      launcher(executor, error, program, arguments, std::move(stdio), bp::process_start_dir(cwd),
               bp::process_environment(environment), NewSession{});
  if (error) throw std::system_error(error.value(), std::generic_category(), command.argv.front());
  const auto pid = process.id();
  process.detach();
  return pid;
}

int pidfd_of(std::int64_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

// The exit code of a child that has ended, 128 + signal; nothing when it still runs or is not ours.
std::optional<int> reap(std::int64_t pid) {
  int status = 0;
  if (waitpid(static_cast<pid_t>(pid), &status, WNOHANG) != pid) return std::nullopt;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct Watched {
  explicit Watched(const asio::any_io_executor& executor) : descriptor(executor) {}
  asio::posix::stream_descriptor descriptor;
  std::function<void()> on_exit;
  bool cancelled = false;
};

Task<> await_exit(std::shared_ptr<Watched> watched, std::int64_t pid) {
  co_await watched->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                          asio::as_tuple(asio::use_awaitable));
  if (watched->cancelled) co_return;
  reap(pid);
  watched->on_exit();
}

class Watch : public ProcessWatch {
 public:
  explicit Watch(std::shared_ptr<Watched> watched) : watched_(std::move(watched)) {}
  ~Watch() override {
    watched_->cancelled = true;
    watched_->descriptor.close();
  }

 private:
  std::shared_ptr<Watched> watched_;
};

std::vector<std::int64_t> children_of(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
  std::vector<std::int64_t> children;
  for (std::int64_t child = 0; file >> child;) children.push_back(child);
  return children;
}

struct StatFields {
  char state = 0;
  std::uint64_t start_time = 0;
};

std::optional<StatFields> read_stat(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  StatFields fields;
  std::size_t at = text.rfind(')');
  if (at == std::string::npos || at + 2 >= text.size()) return std::nullopt;
  fields.state = text[at + 2];
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = text.find(' ', at + 1);
  if (at == std::string::npos) return std::nullopt;
  fields.start_time = std::strtoull(text.c_str() + at, nullptr, 10);
  return fields;
}

}  // namespace

std::uint64_t process_start_time(std::int64_t pid) {
  const auto fields = read_stat(pid);
  return fields ? fields->start_time : 0;
}

bool process_alive(std::int64_t pid, std::uint64_t start_time) {
  const auto fields = read_stat(pid);
  return fields && fields->start_time == start_time && fields->state != 'Z' && fields->state != 'X';
}

void kill_descendants(std::int64_t pid) {
  for (const std::int64_t child : children_of(pid)) {
    kill_descendants(child);
    kill(static_cast<pid_t>(child), SIGKILL);
  }
}

Task<std::unique_ptr<ProcessWatch>> watch_process(std::int64_t pid, std::function<void()> on_exit) {
  const auto executor = co_await asio::this_coro::executor;
  auto watched = std::make_shared<Watched>(executor);
  watched->on_exit = std::move(on_exit);
  const int fd = pidfd_of(pid);
  if (fd < 0) {
    watched->on_exit();
    co_return std::make_unique<Watch>(watched);
  }
  watched->descriptor.assign(fd);
  asio::co_spawn(executor, await_exit(watched, pid), asio::detached);
  co_return std::make_unique<Watch>(watched);
}

Task<ProcessResult> run_process(const Command& command, const RunLimits& limits) {
  const auto executor = co_await asio::this_coro::executor;
  ProcessResult result;
  std::int64_t pid = 0;
  try {
    Fd input(open("/dev/null", O_RDONLY | O_CLOEXEC));
    pid = start(executor, command, input.get());
  } catch (const std::system_error& error) {
    result.exit_code = 127;
    result.error = error.what();
    co_return result;
  }
  Fd pidfd(pidfd_of(pid));
  asio::posix::stream_descriptor exit(executor, dup(pidfd.get()));
  bool over = false;
  asio::co_spawn(
      executor,
      [](asio::posix::stream_descriptor& descriptor, bool& flag, Wake& wake) -> Task<> {
        co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::as_tuple(asio::use_awaitable));
        flag = true;
        wake.notify();
      }(exit, over, *limits.wake),
      asio::detached);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(limits.timeout);
  while (!over) {
    const double left =
        std::chrono::duration<double>(deadline - std::chrono::steady_clock::now()).count();
    const bool cancelled = limits.cancelled && limits.cancelled();
    if (left <= 0 || cancelled) {
      result.timed_out = !cancelled;
      kill(-static_cast<pid_t>(pid), SIGKILL);
    }
    co_await limits.wake->wait(left <= 0 || cancelled ? 1 : left);
  }
  result.exit_code = reap(pid).value_or(127);
  co_return result;
}

GatedProcess::GatedProcess(GatedProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), gate_(std::exchange(other.gate_, -1)) {}

GatedProcess& GatedProcess::operator=(GatedProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(gate_, other.gate_);
  return *this;
}

GatedProcess::~GatedProcess() {
  if (gate_ >= 0) close(gate_);
}

Task<GatedProcess> GatedProcess::spawn(const Command& command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  Fd input(ends[0]);
  GatedProcess process;
  process.gate_ = ends[1];
  process.pid_ = start(co_await asio::this_coro::executor, command, input.get());
  co_return process;
}

void GatedProcess::open() {
  const char go = 'g';
  if (write(gate_, &go, 1) != 1)
    throw std::system_error(errno, std::generic_category(), "opening the launcher's gate");
  close(std::exchange(gate_, -1));
}

}  // namespace controller
