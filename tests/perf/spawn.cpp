// Runs a command a number of times and prints one JSON line per time: wall seconds, CPU seconds and
// peak memory of the command and of what it waited for. A small program does this because a
// script's own start-up and memory would show.
//
//   spawn REPORT COUNT COMMAND...        REPORT: the file that takes the lines
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>

extern char** environ;

namespace {

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::FILE* report = std::fopen(argv[1], "we");
  if (report == nullptr) return 2;
  for (int left = std::atoi(argv[2]); left > 0; --left) {
    pid_t child = 0;
    const double begin = now();
    if (posix_spawnp(&child, argv[3], nullptr, nullptr, argv + 3, environ) != 0) return 127;
    int status = 0;
    rusage used{};
    wait4(child, &status, 0, &used);
    const double wall = now() - begin;
    std::fprintf(report, "{\"wall\":%.6f,\"cpu\":%.6f,\"rss_mb\":%.2f,\"code\":%d}\n", wall,
                 seconds(used.ru_utime) + seconds(used.ru_stime),
                 static_cast<double>(used.ru_maxrss) / 1024,
                 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    std::fflush(report);
  }
  std::fclose(report);
}
