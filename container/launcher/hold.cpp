#include "container/launcher/hold.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/launcher/process_tree.hpp"

namespace container::launcher {
namespace {

bool is_idle(int signal) {
  switch (signal) {
    case SIGPIPE:
    case SIGURG:
    case SIGCONT:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
    case SIGALRM:
      return true;
    default:
      return false;
  }
}

void reap_all() {
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

}  // namespace

int hold() {
  sigset_t all;
  sigfillset(&all);
  for (int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) sigdelset(&all, fault);
  signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (;;) {
    const int signal = sigwaitinfo(&all, nullptr);
    if (signal < 0 || is_idle(signal)) continue;
    if (signal == SIGCHLD) {
      reap_all();
      continue;
    }
    for (const Process& process : descendants(getpid())) send_to(process, SIGTERM);
    return 0;
  }
}

}  // namespace container::launcher
