#include "controller/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
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
struct Ends {
  int input = -1;
  int output = -1;  // -1 = the command's log
};
std::int64_t start(const asio::any_io_executor& executor, const Command& command, Ends ends) {
  Fd log(open(command.log.empty() ? "/dev/null" : command.log.c_str(),
              O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log.get() < 0) throw std::system_error(errno, std::generic_category(), command.log);
  const auto program = find_program(command.argv.front());
  if (program.empty())
    throw std::system_error(ENOENT, std::generic_category(), command.argv.front());
  const std::vector<std::string> arguments(command.argv.begin() + 1, command.argv.end());
  const std::vector<std::string> environment = whole_environment(command.env);
  const int output = ends.output < 0 ? log.get() : ends.output;
  bp::process_stdio stdio{ends.input, output, log.get()};
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
    boost::system::error_code ignored;
    watched_->descriptor.close(ignored);
  }

 private:
  std::shared_ptr<Watched> watched_;
};

// A child and the two coroutines that watch it; whichever is left last frees it.
struct ChildState {
  ChildState(asio::io_context& io, ChildParts its_parts)
      : parts(std::move(its_parts)), exit(io), channel(io) {}
  ChildParts parts;
  asio::posix::stream_descriptor exit, channel;
  std::int64_t pid = 0;
  bool over = false, forgotten = false;
  std::string pending;  // of a line that is not whole yet

  void take(const char* data, std::size_t size) {
    constexpr std::size_t longest_line = 1 << 20;
    pending.append(data, size);
    for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
      const std::string line = pending.substr(0, end);
      pending.erase(0, end + 1);
      if (!forgotten) parts.on_line(line);
    }
    if (pending.size() > longest_line) pending.clear();
  }
};

// What is there now; false at the end. Nothing is ever under way in a buffer, so what a child says
// last is heard before its end.
bool hear(ChildState& child) {
  char buffer[4096];
  for (;;) {
    const ssize_t size = read(child.channel.native_handle(), buffer, sizeof buffer);
    if (size <= 0) return size < 0 && (errno == EAGAIN || errno == EINTR);
    child.take(buffer, static_cast<std::size_t>(size));
  }
}

Task<> hear_child(std::shared_ptr<ChildState> child) {
  for (;;) {
    const auto [error] = co_await child->channel.async_wait(
        asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
    if (error || child->over || !hear(*child)) co_return;
  }
}

Task<> await_child(std::shared_ptr<ChildState> child) {
  co_await child->exit.async_wait(asio::posix::stream_descriptor::wait_read,
                                  asio::as_tuple(asio::use_awaitable));
  // Not reaped yet, it still holds its group's number.
  kill(-static_cast<pid_t>(child->pid), SIGKILL);
  child->over = true;
  const int code = reap(child->pid).value_or(127);
  if (child->channel.is_open()) {
    hear(*child);
    child->channel.close();
  }
  if (!child->forgotten) child->parts.on_exit(code);
}

class WatchedChild : public Child {
 public:
  explicit WatchedChild(std::shared_ptr<ChildState> state) : state_(std::move(state)) {}
  WatchedChild(const WatchedChild&) = delete;
  WatchedChild& operator=(const WatchedChild&) = delete;
  ~WatchedChild() override {
    state_->forgotten = true;
    signal(SIGKILL);
  }
  std::int64_t pid() const override { return state_->pid; }
  void signal(int number) override {
    if (!state_->over) kill(-static_cast<pid_t>(state_->pid), number);
  }
  bool send(const std::string& line) override {
    if (state_->over || !state_->channel.is_open()) return false;
    const std::string whole = line + "\n";
    const ssize_t sent = ::send(state_->channel.native_handle(), whole.data(), whole.size(),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent == static_cast<ssize_t>(whole.size());
  }

 private:
  std::shared_ptr<ChildState> state_;
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

std::unique_ptr<Child> spawn_child(asio::io_context& io, ChildParts parts) {
  const bool talks = static_cast<bool>(parts.on_line);
  auto state = std::make_shared<ChildState>(io, std::move(parts));
  int ends[2] = {-1, -1};
  if (talks && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  Fd ours(ends[0]);
  Fd its(talks ? ends[1] : open("/dev/null", O_RDONLY | O_CLOEXEC));
  state->pid = start(io.get_executor(), state->parts.command,
                     {.input = its.get(), .output = talks ? its.get() : -1});
  const int pidfd = pidfd_of(state->pid);
  if (pidfd < 0) {
    const int error = errno;
    kill(-static_cast<pid_t>(state->pid), SIGKILL);
    throw std::system_error(error, std::generic_category(), "watching a child process");
  }
  state->exit.assign(pidfd);
  if (talks) {
    state->channel.assign(ours.release());
    state->channel.non_blocking(true);
    asio::co_spawn(io, hear_child(state), asio::detached);
  }
  asio::co_spawn(io, await_child(state), asio::detached);
  return std::make_unique<WatchedChild>(state);
}

namespace {

// The end of a process, seen through its pidfd.
struct Exit {
  Exit(const asio::any_io_executor& executor, int pidfd) : descriptor(executor, pidfd) {}
  asio::posix::stream_descriptor descriptor;
  bool over = false;
};

}  // namespace

Task<ProcessResult> run_process(const Command& command, const RunLimits& limits) {
  const auto executor = co_await asio::this_coro::executor;
  ProcessResult result;
  std::int64_t pid = 0;
  try {
    Fd input(open("/dev/null", O_RDONLY | O_CLOEXEC));
    pid = start(executor, command, {.input = input.get()});
  } catch (const std::system_error& error) {
    result.exit_code = 127;
    result.error = error.what();
    co_return result;
  }
  Fd pidfd(pidfd_of(pid));
  const auto exit = std::make_shared<Exit>(executor, dup(pidfd.get()));
  asio::co_spawn(
      executor,
      [](std::shared_ptr<Exit> seen, Wake& wake) -> Task<> {
        co_await seen->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                             asio::as_tuple(asio::use_awaitable));
        seen->over = true;
        wake.notify();
      }(exit, *limits.wake),
      asio::detached);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(limits.timeout);
  while (!exit->over) {
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
  process.pid_ = start(co_await asio::this_coro::executor, command, {.input = input.get()});
  co_return process;
}

void GatedProcess::open() {
  const char go = 'g';
  if (write(gate_, &go, 1) != 1)
    throw std::system_error(errno, std::generic_category(), "opening the launcher's gate");
  close(std::exchange(gate_, -1));
}

}  // namespace controller
