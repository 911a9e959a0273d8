#include "campaign/state/files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <system_error>

#include "tests/support/campaign/state_support.hpp"

namespace campaign {
namespace {

namespace fs = std::filesystem;

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// A process that takes the lock, says so, and waits to be killed.
class OtherController {
 public:
  explicit OtherController(const fs::path& lock) {
    int ready[2];
    if (::pipe(ready) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const Lock::Attempt attempt = Lock::take(lock, system_clock());
      const char answer = attempt.lock ? 'y' : 'n';
      if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    char answer = 0;
    took_ = ::read(ready[0], &answer, 1) == 1 && answer == 'y';
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~OtherController() { kill_it(); }
  void kill_it() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }
  bool took() const { return took_; }

 private:
  pid_t pid_ = 0;
  bool took_ = false;
};

TEST(AtomicFile, IsReplacedAsAWholeAndPrivate) {
  const testing::TemporaryFolder folder;
  const fs::path path = folder.path() / "a.json";
  write_atomically(path, "one");
  write_atomically(path, "two");
  EXPECT_EQ(read_file(path), "two");
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(AtomicFile, HasItsModeFromTheFirstMoment) {
  const testing::TemporaryFolder folder;
  const fs::path path = folder.path() / "program";
  write_atomically(path, "one", fs::perms{0755});
  EXPECT_EQ(fs::status(path).permissions(), fs::perms{0755});
  write_atomically(path, "two", fs::perms{0444});
  EXPECT_EQ(fs::status(path).permissions(), fs::perms{0444});
  EXPECT_EQ(read_file(path), "two");
}

TEST(AtomicFile, FailureNamesThePathAndLeavesNothing) {
  const testing::TemporaryFolder folder;
  const fs::path taken = folder.path() / "taken";
  fs::create_directories(taken / "inside");
  try {
    write_atomically(taken, "x");
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_NE(std::string(error.what()).find(taken.string()), std::string::npos) << error.what();
  }
  EXPECT_EQ(entries(folder.path()), 1u);
  EXPECT_THROW(write_atomically(folder.path() / "none" / "x", "x"), std::system_error);
  EXPECT_THROW(read_file(folder.path() / "none"), std::system_error);
}

TEST(AtomicFile, ExclusiveOneIsNeverReplaced) {
  const testing::TemporaryFolder folder;
  write_exclusively(folder.path() / "a", "one");
  EXPECT_THROW(write_exclusively(folder.path() / "a", "two"), std::system_error);
  EXPECT_EQ(read_file(folder.path() / "a"), "one");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(AtomicFile, LargeContentComesBack) {
  const testing::TemporaryFolder folder;
  std::string content(3'000'001, 'x');
  content[2'000'000] = '\0';
  write_atomically(folder.path() / "a", content);
  EXPECT_EQ(read_file(folder.path() / "a"), content);
  EXPECT_NE(read_file("/proc/self/status"), "");
}

TEST(Folders, AreMadePrivate) {
  const testing::TemporaryFolder folder;
  make_private_folders(folder.path() / "a" / "b");
  make_private_folders(folder.path() / "a" / "b");
  EXPECT_EQ(fs::status(folder.path() / "a").permissions(), fs::perms::owner_all);
  std::ofstream(folder.path() / "file") << "x";
  EXPECT_THROW(make_private_folders(folder.path() / "file" / "x"), std::system_error);
}

TEST(ControllerLock, SecondProcessIsRefusedAndTheHolderNamed) {
  const testing::TemporaryFolder folder;
  const fs::path path = folder.path() / "demo" / "controller.lock";
  const OtherController other(path);
  ASSERT_TRUE(other.took());
  const Lock::Attempt attempt = Lock::take(path, system_clock());
  EXPECT_FALSE(attempt.lock);
  EXPECT_EQ(attempt.holder.pid, other.pid());
  EXPECT_EQ(attempt.holder.boot, system_clock().boot_id());
  const std::string text = attempt.holder.text();
  EXPECT_NE(text.find("pid " + std::to_string(other.pid()) + " on "), std::string::npos) << text;
  EXPECT_NE(text.find(" since 20"), std::string::npos) << text;
  EXPECT_FALSE(lock_is_free(path));
}

TEST(ControllerLock, IsFreedWhenItsHolderIsKilled) {
  const testing::TemporaryFolder folder;
  const fs::path path = folder.path() / "controller.lock";
  OtherController other(path);
  ASSERT_TRUE(other.took());
  other.kill_it();
  EXPECT_TRUE(lock_is_free(path));
  EXPECT_TRUE(Lock::take(path, system_clock()).lock);
}

TEST(ControllerLock, IsFreeAgainAfterItsOwner) {
  const testing::TemporaryFolder folder;
  const fs::path path = folder.path() / "controller.lock";
  EXPECT_TRUE(lock_is_free(path));
  {
    const Lock::Attempt first = Lock::take(path, system_clock());
    ASSERT_TRUE(first.lock);
    EXPECT_FALSE(Lock::take(path, system_clock()).lock);
    EXPECT_FALSE(lock_is_free(path));
  }
  EXPECT_TRUE(lock_is_free(path));
  EXPECT_TRUE(Lock::take(path, system_clock()).lock);
}

TEST(ControllerLock, IsNotInheritedByPrograms) {
  const testing::TemporaryFolder folder;
  const Lock::Attempt mine = Lock::take(folder.path() / "controller.lock", system_clock());
  ASSERT_TRUE(mine.lock);
  int inherited = 0;
  for (int fd = 3; fd < 256; ++fd) {
    std::error_code none;
    const fs::path target = fs::read_symlink("/proc/self/fd/" + std::to_string(fd), none);
    if (target.filename() != "controller.lock") continue;
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ++inherited;
  }
  EXPECT_EQ(inherited, 1);
}

TEST(ControllerLock, HolderThatWroteNothingIsStillSomebody) {
  EXPECT_EQ(Holder().text(), "another controller");
  EXPECT_EQ((Holder{"node7", 4711, "boot", "991", "2026-11-21T00:43:00Z"}.text()),
            "pid 4711 on node7 in job 991 since 2026-11-21T00:43:00Z");
}

TEST(Heartbeats, ComeBack) {
  const testing::TemporaryFolder folder;
  Heartbeat beat;
  beat.writer = "node7-1-0f1e2d3c-1";
  beat.host = "node7";
  beat.stage = "measure";
  beat.wait_reason = "gap: GPU 1 at 61 C";
  beat.pid = 4711;
  beat.utc = 1763685600.5;
  beat.interval = 15;
  beat.wait_until_utc = 1763685640.5;
  beat.workers = {{0, "tiny.c01", "gap", "", 5.5, 12.25},
                  {1, "", "claim", "GPUs: 0 is held", 0, 0}};
  beat.services = {{"cctl-1-tiny-w0", "tiny", 0, "running", 1763685500.5, 2},
                   {"engine events", "events", std::nullopt, "waiting", std::nullopt, 0}};
  write_heartbeat(folder.path() / "heartbeat", beat);
  write_heartbeat(folder.path() / "heartbeat", beat);
  std::ofstream(folder.path() / "heartbeat" / "torn.json") << "{\"writer\":";
  const auto beats = read_heartbeats(folder.path() / "heartbeat");
  ASSERT_EQ(beats.size(), 1u);
  EXPECT_EQ(beats[0].writer, beat.writer);
  EXPECT_EQ(beats[0].wait_until_utc, beat.wait_until_utc);
  EXPECT_EQ(beats[0].interval, 15);
  ASSERT_EQ(beats[0].workers.size(), 2u);
  EXPECT_EQ(beats[0].workers[0].initialization_ms, 12.25);
  EXPECT_EQ(beats[0].workers[1].id, 1);
  EXPECT_EQ(beats[0].workers[1].wait, "GPUs: 0 is held");
  ASSERT_EQ(beats[0].services.size(), 2u);
  EXPECT_EQ(beats[0].services[0].name, "cctl-1-tiny-w0");
  EXPECT_EQ(beats[0].services[0].service, "tiny");
  EXPECT_EQ(beats[0].services[0].worker, 0);
  EXPECT_EQ(beats[0].services[0].since_utc, 1763685500.5);
  EXPECT_EQ(beats[0].services[0].restarts, 2);
  EXPECT_EQ(beats[0].services[1].state, "waiting");
  EXPECT_EQ(beats[0].services[1].worker, std::nullopt);
  EXPECT_EQ(beats[0].services[1].since_utc, std::nullopt);
  EXPECT_TRUE(read_heartbeats(folder.path() / "none").empty());
}

TEST(StopRequests, StrongestIsTakenOnce) {
  const testing::TemporaryFolder folder;
  const fs::path control = folder.path() / "control";
  EXPECT_FALSE(take_stop_request(control));
  write_stop_request(control, {StopRequest::When::after_run});
  write_stop_request(control, {StopRequest::When::now});
  write_stop_request(control, {StopRequest::When::after_cycle});
  std::ofstream(control / "9.json") << "garbage";
  const auto request = take_stop_request(control);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->when, StopRequest::When::now);
  EXPECT_FALSE(take_stop_request(control));
}

TEST(Ownership, FilesThatOthersMayWriteAreUnsafe) {
  const testing::TemporaryFolder folder;
  const fs::path path = folder.path() / "a";
  EXPECT_EQ(unsafe_ownership(path), "");
  write_atomically(path, "x");
  EXPECT_EQ(unsafe_ownership(path), "");
  ::chmod(path.c_str(), 0620);
  EXPECT_NE(unsafe_ownership(path).find("chmod go-w " + path.string()), std::string::npos);
  ::chmod(path.c_str(), 0602);
  EXPECT_NE(unsafe_ownership(path), "");
}

TEST(Ownership, FilesOfAnotherUserAreUnsafe) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving a file away needs root";
  const testing::TemporaryFolder folder;
  const fs::path path = folder.path() / "a";
  write_atomically(path, "x");
  ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  EXPECT_NE(unsafe_ownership(path).find("belongs to user 12345"), std::string::npos);
}

}  // namespace
}  // namespace campaign
