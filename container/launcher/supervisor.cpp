#include "container/launcher/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "container/launcher/out_folder.hpp"
#include "container/launcher/payload.hpp"

namespace container::launcher {
namespace {

constexpr std::int64_t second = 1'000'000'000, settle_bound = 30 * second,
                       kill_interval = second / 10;
constexpr int pipe_size = 1 << 20, last_reads = 64;

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD})
    sigaddset(&set, signal);
  return set;
}

const char* stop_name(int signal) {
  return signal == SIGTERM ? "TERM" : signal == SIGINT ? "INT" : signal == SIGHUP ? "HUP" : nullptr;
}

void close_if_open(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

bool watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Supervisor::Supervisor(const Options& options, OutFolder& folder)
    : options_(options),
      folder_(folder),
      killer_([] { return descendants(getpid()); }),
      marks_(options.window_begin, options.window_end) {
  outcome_.run = options.run;
}

Supervisor::~Supervisor() {
  for (int* fd : {&out_end_, &err_end_, &epoll_, &signals_, &timer_, &followed_, &exec_report_})
    close_if_open(*fd);
}

std::string Supervisor::make_stream(std::optional<LogPump>& pump, int& write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::string("pipe: ") + strerror(errno);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  fcntl(ends[0], F_SETPIPE_SZ, pipe_size);
  write_end = ends[1];
  pump.emplace(LogPump::Setup{.pipe = ends[0], .cap = options_.cap, .recall = options_.echo});
  if (!pump->ready()) return "no memory";
  return watch(epoll_, ends[0]) ? "" : strerror(errno);
}

std::string Supervisor::prepare() {
  const sigset_t handled = handled_signals();
  signal(SIGCHLD, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  sigprocmask(SIG_BLOCK, &handled, nullptr);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  signals_ = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (epoll_ < 0 || !watch(epoll_, signals_) || !watch(epoll_, timer_)) return strerror(errno);
  if (options_.follow_pid != 0) {
    followed_ = static_cast<int>(syscall(SYS_pidfd_open, options_.follow_pid, 0));
    if (followed_ < 0 || !watch(epoll_, followed_))
      return "--follow-pid " + std::to_string(options_.follow_pid) + ": " + strerror(errno);
  }
  if (!options_.logs) return "";
  const std::string error = make_stream(out_, out_end_);
  return error.empty() ? make_stream(err_, err_end_) : error;
}

void Supervisor::open_log(LogPump& pump, const char* name) {
  const int file = folder_.create(name);
  if (file >= 0) return pump.attach(file);
  pump.give_up(strerror(errno));
}

std::string Supervisor::start() {
  if (out_) open_log(*out_, "stdout.log");
  if (err_) open_log(*err_, "stderr.log");
  setenv(mark_name, own_mark(options_.run).c_str(), 1);
  outcome_.start = Moment::now();
  const Payload payload = start_payload(
      {.command = options_.command, .chdir = options_.chdir, .out = out_end_, .err = err_end_});
  close_if_open(out_end_);
  close_if_open(err_end_);
  if (payload.pid < 0) return std::string("cannot make a process: ") + strerror(payload.error);
  payload_ = payload.pid;
  exec_report_ = payload.exec_report;
  watch(epoll_, exec_report_);
  return "";
}

void Supervisor::wait() {
  while (!ended_) {
    epoll_event events[8];
    const int count = epoll_wait(epoll_, events, 8, -1);
    for (int i = 0; i < count; ++i) on_event(events[i].data.fd);
  }
}

void Supervisor::on_event(int fd) {
  if (out_ && fd == out_->pipe()) return drain_once(*out_, &marks_);
  if (err_ && fd == err_->pipe()) return drain_once(*err_, nullptr);
  if (fd == signals_) return on_signals();
  if (fd == timer_) return end_grace();
  if (fd == exec_report_) return take_exec_report();
  if (fd == followed_) {
    close_if_open(followed_);
    stop("follow-pid", SIGTERM);
  }
}

void Supervisor::drain_once(LogPump& pump, WindowMarks* marks) {
  if (pump.drain(marks) == LogPump::Drain::ended)
    epoll_ctl(epoll_, EPOLL_CTL_DEL, pump.pipe(), nullptr);
}

void Supervisor::take_exec_report() {
  ExecFailure failure;
  if (exec_report_ < 0 || !read_exec_report(exec_report_, failure)) return;
  close_if_open(exec_report_);
  if (failure.error == 0) return;
  outcome_.exec_errno = failure.error;
  outcome_.exec_message = failure.message(options_.command[0], options_.chdir);
}

void Supervisor::on_signals() {
  signalfd_siginfo info;
  while (read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const auto signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) continue;
    if (const char* name = stop_name(signal))
      stop(name, signal);
    else
      forward(signal);
  }
  reap();
}

void Supervisor::forward(int signal) {
  if (payload_ > 0 && !ended_) kill(-payload_, signal);
}

void Supervisor::stop(const char* reason, int signal) {
  forward(signal);
  forward(SIGCONT);
  if (!outcome_.stopped_by.empty()) return;
  outcome_.stopped_by = reason;
  if (options_.grace_ns >= 0) set_timer(options_.grace_ns);
}

void Supervisor::set_timer(std::int64_t nanoseconds) {
  itimerspec when{};
  when.it_value = {.tv_sec = nanoseconds / second, .tv_nsec = nanoseconds % second};
  if (nanoseconds == 0) when.it_value.tv_nsec = 1;
  timerfd_settime(timer_, 0, &when, nullptr);
}

void Supervisor::end_grace() {
  std::uint64_t expirations = 0;
  if (read(timer_, &expirations, sizeof expirations) < 0) return;
  killer_.round();
  forward(SIGKILL);
  set_timer(kill_interval);
}

void Supervisor::take_status(int status) {
  outcome_.end = Moment::now();
  if (WIFSIGNALED(status))
    outcome_.signal = WTERMSIG(status);
  else
    outcome_.exit_code = WEXITSTATUS(status);
  ended_ = true;
}

Supervisor::Children Supervisor::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == 0) return Children::some;
    if (pid < 0) return errno == ECHILD ? Children::none : Children::some;
    if (pid == payload_) take_status(status);
  }
}

void Supervisor::drain_rest(LogPump& pump, WindowMarks* marks) {
  for (int i = 0; i < last_reads && pump.drain(marks) == LogPump::Drain::more; ++i) {
  }
}

void Supervisor::complete(LogPump& pump, const char* name, Outcome::Stream& stream) {
  pump.finish();
  stream = {.bytes = pump.bytes(), .kept = pump.kept()};
  if (outcome_.log_error.empty() && !pump.error().empty())
    outcome_.log_error = std::string(name) + ": " + pump.error();
}

void Supervisor::settle() {
  const std::int64_t bound = monotonic_ns() + settle_bound;
  while (reap() == Children::some && monotonic_ns() < bound) {
    killer_.round();
    pollfd waiting{.fd = signals_, .events = POLLIN, .revents = 0};
    poll(&waiting, 1, static_cast<int>(kill_interval / 1'000'000));
    signalfd_siginfo info;
    while (read(signals_, &info, sizeof info) > 0) {
    }
  }
  take_exec_report();
  outcome_.killed_descendants = killer_.killed_except(payload_);
  if (reap() == Children::some)
    outcome_.left_descendants = static_cast<int>(descendants(getpid()).size());
  getrusage(RUSAGE_CHILDREN, &outcome_.used);
  if (out_) drain_rest(*out_, &marks_);
  if (err_) drain_rest(*err_, nullptr);
  marks_.finish(monotonic_ns());
  if (out_) complete(*out_, "stdout.log", outcome_.out);
  if (err_) complete(*err_, "stderr.log", outcome_.err);
  outcome_.window_begin_ns = marks_.begin_ns();
  outcome_.window_end_ns = marks_.end_ns();
}

}  // namespace container::launcher
