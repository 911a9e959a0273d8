// --hold, --stop, --alive, --fence and --probe of the launcher.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/container/launcher_process.hpp"

namespace container::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Said {
  int exit_code = -1;
  std::string text;
  json report() const { return json::parse(text, nullptr, false); }
};

// One run of the launcher in a mode, to its end.
Said run_mode(const std::string& arguments) {
  Said said;
  FILE* pipe = popen((std::string(LAUNCHER_PATH) + " " + arguments + " 2>&1").c_str(), "re");
  char piece[512];
  while (const std::size_t n = fread(piece, 1, sizeof piece, pipe)) said.text.append(piece, n);
  said.exit_code = WEXITSTATUS(pclose(pipe));
  return said;
}

class LauncherStop : public ::testing::Test {
 protected:
  std::unique_ptr<LaunchedProcess> start(const std::string& script) {
    return std::make_unique<LaunchedProcess>(
        LaunchedProcess::Setup{.out = folder.path(), .command = {"sh", "-c", script}});
  }
  Said mode(const std::string& name, const std::string& more = {}) {
    return run_mode(name + " --out " + folder.path().string() + " " + more);
  }

  ScratchFolder folder;
};

TEST_F(LauncherStop, TermIsEnoughForOneThatListens) {
  auto launched = start("echo ready >&9; exec sleep 1000");
  launched->hear();
  std::thread reaper([&] { launched->finish(); });
  const Said said = mode("--stop", "--grace 60");
  reaper.join();
  EXPECT_EQ(said.exit_code, 0) << said.text;
  EXPECT_EQ(said.report()["state"], "stopped");
  EXPECT_EQ(outcome_in(folder.path())["signal"], SIGTERM);
  EXPECT_EQ(outcome_in(folder.path())["stopped_by"], "TERM");
}

TEST_F(LauncherStop, AfterTheGraceAllDescendantsAreKilledAndTheOutcomeIsThere) {
  auto launched = start(
      "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ >&9; while :; do sleep 1000; done' & "
      "while :; do sleep 1000; done");
  const WatchedProcess child(std::stoi(launched->hear()));
  std::thread reaper([&] { launched->finish(); });
  const Said said = mode("--stop", "--grace 0.05");
  EXPECT_TRUE(child.has_ended());
  reaper.join();
  EXPECT_EQ(said.exit_code, 0) << said.text;
  EXPECT_GE(said.report()["killed"].get<int>(), 2);
  EXPECT_EQ(said.report()["left"], 0);
  EXPECT_EQ(outcome_in(folder.path())["signal"], SIGKILL);
}

TEST_F(LauncherStop, WhatAKilledLauncherLeftBehindIsFoundByItsMark) {
  auto launched = start(
      "setsid sh -c 'trap \"\" TERM; echo $$ >&9; while :; do sleep 1000; done' & exec sleep 1000");
  const WatchedProcess child(std::stoi(launched->hear()));
  kill(launched->pid(), SIGKILL);
  launched->finish();
  EXPECT_FALSE(child.has_ended());
  EXPECT_EQ(mode("--alive").exit_code, 0);
  const Said said = mode("--stop", "--grace 5");
  EXPECT_EQ(said.exit_code, 0) << said.text;
  EXPECT_EQ(said.report()["state"], "stopped");
  EXPECT_TRUE(child.has_ended());
  EXPECT_EQ(mode("--alive").exit_code, 1);
  EXPECT_FALSE(fs::exists(folder.path() / "outcome.json"));
}

TEST_F(LauncherStop, OneThatHasEndedIsGone) {
  start("exit 3")->finish();
  const Said said = mode("--stop");
  EXPECT_EQ(said.exit_code, 0);
  EXPECT_EQ(said.report()["state"], "gone");
  EXPECT_EQ(outcome_in(folder.path())["exit_code"], 3);
}

TEST_F(LauncherStop, WhatHadNotBegunCannotBeginAnyMore) {
  for (const char* name : {"--stop", "--fence"}) {
    ScratchFolder own;
    const Said said = run_mode(std::string(name) + " --out " + own.path().string());
    EXPECT_EQ(said.report()["state"], "none");
    EXPECT_EQ(said.exit_code, std::string(name) == "--stop" ? 0 : 2);
    LaunchedProcess late({.out = own.path(), .command = {"true"}});
    EXPECT_EQ(late.finish().exit_code, 125);
  }
}

TEST_F(LauncherStop, AFenceLeavesARunningOneAlone) {
  auto launched = start("echo ready >&9; read go <&8; exit 4");
  launched->hear();
  EXPECT_EQ(mode("--fence").report()["state"], "running");
  launched->tell("go");
  EXPECT_EQ(launched->finish().exit_code, 4);
}

TEST_F(LauncherStop, ALookClaimsNothing) {
  EXPECT_EQ(mode("--alive").exit_code, 2);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST_F(LauncherStop, AnotherProcessWithItsNumberIsLeftAlone) {
  std::ofstream(folder.path() / "begun")
      << R"({"v":1,"run":"x.a1","pid":)" << getpid()
      << R"(,"pid_start":1,"boot":"00000000-0000-0000-0000-000000000000","boottime":1.0,"utc":1.0})"
      << "\n";
  const Said said = mode("--stop", "--grace 0");
  EXPECT_EQ(said.exit_code, 0);
  EXPECT_EQ(said.report()["state"], "gone");
}

TEST_F(LauncherStop, ACutBegunIsRefusedAtEveryByte) {
  start("true")->finish();
  const std::string whole = read_text(folder.path() / "begun");
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{1}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(folder.path() / "begun", std::ios::trunc) << whole.substr(0, length);
    EXPECT_EQ(mode("--alive").exit_code, 74) << length;
  }
}

TEST(LauncherHold, ReapsAndEndsAtTheFirstTerm) {
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(LAUNCHER_PATH, LAUNCHER_PATH, "--hold", nullptr);
    _exit(127);
  }
  const auto bound = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  // Until it sleeps, which is when it waits for signals: before that TERM would kill it.
  while (read_text("/proc/" + std::to_string(pid) + "/stat").find("(campaignctl-lau) S") ==
         std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now(), bound);
    std::this_thread::yield();
  }
  kill(pid, SIGTERM);
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Listens on a port of its own and gives one answer to whoever comes.
class Answering {
 public:
  explicit Answering(std::string text) : text_(std::move(text)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    listen(listener_, 4);
    thread_ = std::thread([this] { serve(); });
  }
  ~Answering() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  std::string port() const { return std::to_string(port_); }

 private:
  void serve() {
    for (;;) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      char request[1024];
      if (read(client, request, sizeof request) > 0 && !text_.empty())
        send(client, text_.data(), text_.size(), MSG_NOSIGNAL);
      close(client);
    }
  }

  std::string text_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

TEST(LauncherProbe, AnHttpServerIsReadyWhenItSaysSo) {
  const std::pair<const char*, int> cases[] = {{"HTTP/1.1 200 OK\r\n\r\n", 0},
                                               {"HTTP/1.0 302 Found\r\n\r\n", 0},
                                               {"HTTP/1.1 503 Busy\r\n\r\n", 1},
                                               {"SSH-2.0-x\r\n", 1},
                                               {"", 1}};
  for (const auto& [text, code] : cases) {
    const Answering server(text);
    const Said said = run_mode("--probe http://localhost:" + server.port() + "/health");
    EXPECT_EQ(said.exit_code, code) << text << said.text;
  }
}

TEST(LauncherProbe, ATcpServerIsReadyWhenItAccepts) {
  const Answering server("");
  EXPECT_EQ(run_mode("--probe tcp://127.0.0.1:" + server.port()).exit_code, 0);
  EXPECT_EQ(run_mode("--probe tcp://127.0.0.1:1").exit_code, 1);
}

TEST(LauncherProbe, AServerThatIsSilentIsNotWaitedForLonger) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(listener, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  listen(listener, 1);
  const Said said = run_mode("--probe http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) +
                             "/ --timeout 0.1");
  close(listener);
  EXPECT_EQ(said.exit_code, 1);
  EXPECT_NE(said.text.find("no answer in time"), std::string::npos) << said.text;
}

TEST(LauncherModes, WhatIsMisspeltIsUsage) {
  for (const char* arguments :
       {"--hold now", "--stop", "--stop --out", "--stop --out . --grace x", "--alive --grace 1",
        "--probe", "--probe ftp://x:1", "--probe tcp://x", "--probe tcp://x:0",
        "--probe http://:1/", "--probe http://x:99999/", "--probe tcp://x:1 tcp://y:1",
        "--probe tcp://x:1 --timeout x"}) {
    EXPECT_EQ(run_mode(arguments).exit_code, 64) << arguments;
  }
}

}  // namespace
}  // namespace container::testing
