#include "controller/process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/container/loop.hpp"

namespace controller {
namespace {

class RunProcess : public ::testing::Test {
 protected:
  RunProcess() {
    std::string path = testing::TempDir() + "process-XXXXXX";
    folder_ = mkdtemp(path.data());
  }
  ~RunProcess() override { std::filesystem::remove_all(folder_); }
  ProcessResult run(const std::string& script, double timeout = 60) {
    const Command command{.argv = {"sh", "-c", script},
                          .env = {{"MINE", "value"}},
                          .cwd = folder_,
                          .log = folder_ + "/log"};
    const RunLimits limits{
        .timeout = timeout, .wake = &wake_, .cancelled = [this] { return cancelled_; }};
    return loop_.run(run_process(command, limits));
  }
  std::string read(const std::string& name) const {
    std::ifstream in(folder_ + "/" + name);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }

  container::test::Loop loop_;
  Wake wake_;
  std::string folder_;
  bool cancelled_ = false;
};

TEST_F(RunProcess, OutputFolderAndEnvironmentAreAsSaid) {
  EXPECT_EQ(run("pwd; echo $MINE >&2; readlink /proc/self/fd/0").exit_code, 0);
  EXPECT_EQ(read("log"), folder_ + "\nvalue\n/dev/null\n");
}

TEST_F(RunProcess, LogIsAppendedTo) {
  run("echo one");
  run("echo two");
  EXPECT_EQ(read("log"), "one\ntwo\n");
}

TEST_F(RunProcess, ExitCodeAndSignalAreTold) {
  EXPECT_EQ(run("exit 7").exit_code, 7);
  EXPECT_EQ(run("kill -TERM $$").exit_code, 128 + SIGTERM);
}

TEST_F(RunProcess, TimeoutKillsTheGroup) {
  const ProcessResult result = run("sleep 1000 & echo $! > pid; wait", 0.3);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_code, 128 + SIGKILL);
  const std::int64_t pid = std::stoll(read("pid"));
  while (process_alive(pid, process_start_time(pid))) loop_.run(wake_.wait(0.01));
}

TEST_F(RunProcess, CancellationKillsAndIsNoTimeout) {
  cancelled_ = true;
  const ProcessResult result = run("sleep 1000");
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 128 + SIGKILL);
}

TEST_F(RunProcess, MissingProgramIsAValue) {
  const Command command{.argv = {"no-such-program"}};
  const RunLimits limits{.wake = &wake_};
  const ProcessResult result = loop_.run(run_process(command, limits));
  EXPECT_EQ(result.exit_code, 127);
  EXPECT_NE(result.error.find("no-such-program"), std::string::npos);
}

TEST(ProcessStartTime, NamesAProcessForGood) {
  EXPECT_GT(process_start_time(getpid()), 0u);
  EXPECT_TRUE(process_alive(getpid(), process_start_time(getpid())));
  EXPECT_FALSE(process_alive(getpid(), process_start_time(getpid()) + 1));
  EXPECT_EQ(process_start_time(0x7fffffff), 0u);
}

}  // namespace
}  // namespace controller
