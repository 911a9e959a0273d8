#include "container/launcher/payload.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace container::launcher {
namespace {

[[noreturn]] void report(int fd, ExecFailure::Step step) {
  const ExecFailure failure{errno, step};
  const bool told = write(fd, &failure, sizeof failure) == sizeof failure;
  _exit(told ? failure.exit_code() : 126);
}

void restore_signals() {
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD, SIGPIPE, SIGXFSZ})
    ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become_payload(const PayloadSetup& setup, pid_t launcher, int exec_report) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != launcher) _exit(126);
  const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (input < 0 || dup2(input, 0) < 0) report(exec_report, ExecFailure::Step::input);
  if (setup.out >= 0) dup2(setup.out, 1);
  if (setup.err >= 0) dup2(setup.err, 2);
  restore_signals();
  if (!setup.chdir.empty() && chdir(setup.chdir.c_str()) != 0)
    report(exec_report, ExecFailure::Step::folder);
  execvp(setup.command[0], setup.command);
  report(exec_report, ExecFailure::Step::command);
}

}  // namespace

int ExecFailure::exit_code() const { return error == ENOENT || error == ENOTDIR ? 127 : 126; }

std::string ExecFailure::message(const std::string& command, const std::string& folder) const {
  const std::string what = step == Step::folder  ? "--chdir " + folder
                           : step == Step::input ? "/dev/null"
                                                 : command;
  return strerror(error) + (": " + what);
}

Payload start_payload(const PayloadSetup& setup) {
  Payload payload;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    payload.error = errno;
    return payload;
  }
  const pid_t launcher = getpid();
  payload.pid = fork();
  if (payload.pid == 0) become_payload(setup, launcher, ends[1]);
  payload.error = payload.pid < 0 ? errno : 0;
  close(ends[1]);
  if (payload.pid < 0) {
    close(ends[0]);
    return payload;
  }
  setpgid(payload.pid, payload.pid);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  payload.exec_report = ends[0];
  return payload;
}

bool read_exec_report(int fd, ExecFailure& failure) {
  ExecFailure read_back;
  const ssize_t n = read(fd, &read_back, sizeof read_back);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n == static_cast<ssize_t>(sizeof read_back)) failure = read_back;
  return true;
}

}  // namespace container::launcher
