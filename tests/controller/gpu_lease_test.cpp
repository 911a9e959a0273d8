#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "controller/gpu/lease.hpp"
#include "tests/support/controller/cli_fixture.hpp"

namespace controller {
namespace {

using gpu::Lease;
using gpu::lease_holder;
using testing::Folder;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char uuid[] = "GPU-8f1e0000";
constexpr uid_t other_user = 65534;

Lease::Attempt take(const Folder& folder, const std::string& campaign = "llm") {
  return Lease::take({.folder = folder.path(), .uuid = uuid, .campaign = campaign},
                     campaign::system_clock());
}

std::string path_of(const Folder& folder) { return folder.path() + "/campaignctl-" + uuid; }

// A process that takes the lease and holds it until it is killed.
class Taker {
 public:
  explicit Taker(const Folder& folder, uid_t user = geteuid()) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    pid_ = fork();
    if (pid_ == 0) live(folder, user, ends[1]);
    close(ends[1]);
    answer_ = ends[0];
  }
  ~Taker() {
    die();
    close(answer_);
  }
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;
  pid_t pid() const { return pid_; }
  // Waits for its answer.
  bool held() {
    char letter = 'f';
    if (read(answer_, &letter, 1) == 1) held_ = letter == 'y';
    return held_;
  }
  void die() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  [[noreturn]] static void live(const Folder& folder, uid_t user, int answer) {
    umask(077);
    char letter = 'f';
    if (user == geteuid() || (setgroups(0, nullptr) == 0 && setgid(user) == 0 && setuid(user) == 0))
      try {
        const Lease::Attempt attempt = take(folder, "theirs");
        letter = attempt.lease ? 'y' : 'n';
        if (write(answer, &letter, 1) == 1)
          for (;;) pause();
      } catch (const std::exception&) {
        letter = 'e';
      }
    if (write(answer, &letter, 1) != 1) _exit(2);
    _exit(1);
  }
  pid_t pid_ = 0;
  int answer_ = -1;
  bool held_ = false;
};

// As /run/lock: everybody's, and sticky.
void make_common(const Folder& folder) { chmod(folder.path().c_str(), 01777); }

TEST(Lease, OneHolderAtATimeAndItIsNamed) {
  const Folder folder;
  Lease::Attempt first = take(folder);
  ASSERT_NE(first.lease, nullptr);
  const Lease::Attempt second = take(folder);
  EXPECT_EQ(second.lease, nullptr);
  EXPECT_THAT(second.holder, StartsWith("pid " + std::to_string(getpid()) + " on "));
  EXPECT_THAT(second.holder, HasSubstr(", campaign llm"));
  EXPECT_EQ(lease_holder(folder.path(), uuid), second.holder);
  first.lease.reset();
  EXPECT_EQ(lease_holder(folder.path(), uuid), std::nullopt);
  EXPECT_NE(take(folder).lease, nullptr);
}

TEST(Lease, AFolderThatIsNotEverybodysIsLeftForOneThatIs) {
  const Folder folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 01777), 0);
  EXPECT_EQ(gpu::lease_folder(folder.path()), folder.path());
  // Root could write here as well, and would not meet the others.
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  EXPECT_EQ(gpu::lease_folder(folder.path()), "/dev/shm");
  EXPECT_EQ(gpu::lease_folder("/no/such/folder"), "/dev/shm");
}

TEST(Lease, DevicesAreLeasedOneByOne) {
  const Folder folder;
  const Lease::Attempt first = take(folder);
  const Lease::Attempt other = Lease::take(
      {.folder = folder.path(), .uuid = "MIG-GPU-1/2/0", .campaign = ""}, campaign::system_clock());
  EXPECT_NE(other.lease, nullptr);
  EXPECT_TRUE(std::filesystem::exists(folder.path() + "/campaignctl-MIG-GPU-1_2_0"));
}

TEST(Lease, NobodyHoldsWhatWasNeverTaken) {
  const Folder folder;
  EXPECT_EQ(lease_holder(folder.path(), uuid), std::nullopt);
  EXPECT_EQ(lease_holder(folder.path() + "/absent", uuid), std::nullopt);
}

TEST(Lease, AnotherProcessIsNamedAndItsDeathFreesTheDevice) {
  const Folder folder;
  Taker taker(folder);
  ASSERT_TRUE(taker.held());
  const Lease::Attempt refused = take(folder);
  EXPECT_EQ(refused.lease, nullptr);
  EXPECT_THAT(refused.holder, StartsWith("pid " + std::to_string(taker.pid()) + " on "));
  EXPECT_THAT(refused.holder, HasSubstr("campaign theirs"));
  taker.die();
  EXPECT_EQ(lease_holder(folder.path(), uuid), std::nullopt);
  EXPECT_NE(take(folder).lease, nullptr);
}

TEST(Lease, TheFileIsReadableWhateverTheUmask) {
  const Folder folder;
  Taker taker(folder);
  ASSERT_TRUE(taker.held());
  struct stat info{};
  ASSERT_EQ(stat(path_of(folder).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0644U);
}

TEST(Lease, AFileThatItsHolderCouldNotWriteDoesNotMisnameIt) {
  const Folder folder;
  {
    const Lease::Attempt mine = take(folder, "stale");
  }
  const int fd = open(path_of(folder).c_str(), O_RDONLY | O_CLOEXEC);
  std::ofstream(path_of(folder)) << R"({"pid":1,"host":"node7","campaign":"stale"})";
  ASSERT_EQ(::flock(fd, LOCK_EX | LOCK_NB), 0);
  const std::string holder = lease_holder(folder.path(), uuid).value_or("nobody");
  EXPECT_THAT(holder, StartsWith("pid " + std::to_string(getpid()) + " (controller_test"));
  EXPECT_THAT(holder, Not(HasSubstr("stale")));
  close(fd);
}

TEST(Lease, TextThatIsNoneOfOursIsNoHolder) {
  const Folder folder;
  for (const char* text : {"", "{", "[]", R"({"pid":"x"})", R"({"host":7})"}) {
    std::ofstream(path_of(folder)) << text;
    const Lease::Attempt mine = take(folder);
    EXPECT_NE(mine.lease, nullptr) << text;
    EXPECT_THAT(take(folder).holder, HasSubstr("campaign llm"));
  }
}

TEST(Lease, WhatIsNoFileIsRefusedAtOnce) {
  const Folder folder;
  ASSERT_EQ(mkfifo(path_of(folder).c_str(), 0644), 0);
  EXPECT_THROW(take(folder), std::system_error);
  unlink(path_of(folder).c_str());
  ASSERT_EQ(symlink("/dev/null", path_of(folder).c_str()), 0);
  EXPECT_THROW(take(folder), std::system_error);
  EXPECT_THROW(Lease::take({.folder = folder.path() + "/absent", .uuid = uuid, .campaign = ""},
                           campaign::system_clock()),
               std::system_error);
}

// Two users of a host. Only root can become another one.
class LeaseOfTwoUsers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can take a lease as another user";
    make_common(folder_);
  }
  Folder folder_;
};

TEST_F(LeaseOfTwoUsers, WhatAnotherUserHoldsIsRefusedAndNamed) {
  Taker taker(folder_, other_user);
  ASSERT_TRUE(taker.held());
  const Lease::Attempt refused = take(folder_);
  EXPECT_EQ(refused.lease, nullptr);
  EXPECT_THAT(refused.holder, StartsWith("pid " + std::to_string(taker.pid()) + " on "));
  taker.die();
  EXPECT_NE(take(folder_).lease, nullptr);
}

TEST_F(LeaseOfTwoUsers, AFileOfOursIsLockedByAnotherUserTooAndThatOneIsNamed) {
  {
    const Lease::Attempt mine = take(folder_);
    EXPECT_FALSE(Taker(folder_, other_user).held());
  }
  Taker taker(folder_, other_user);
  ASSERT_TRUE(taker.held());
  EXPECT_EQ(take(folder_).lease, nullptr);
  const std::string holder = lease_holder(folder_.path(), uuid).value_or("nobody");
  EXPECT_THAT(holder, StartsWith("pid " + std::to_string(taker.pid()) + " ("));
  EXPECT_THAT(holder, HasSubstr(" of nobody"));
}

TEST_F(LeaseOfTwoUsers, ManyWhoTryAtOnceNeverShareIt) {
  std::vector<std::unique_ptr<Taker>> takers;
  int held = 0;
  for (int i = 0; i < 12; ++i)
    takers.push_back(std::make_unique<Taker>(folder_, i % 2 == 0 ? 0 : other_user));
  for (const auto& taker : takers) held += taker->held() ? 1 : 0;
  EXPECT_EQ(held, 1);
}

}  // namespace
}  // namespace controller
