#include "container/folder_watch.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/container/loop.hpp"

namespace container::test {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  explicit Folder(const std::string& name = "")
      : path(fs::temp_directory_path() / ("folder_watch_" + std::to_string(getpid()) + name)) {
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  void make(const std::string& name) const { std::ofstream(path / name) << "x"; }
};

// Of this process.
std::size_t inotify_instances() {
  std::size_t count = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd"))
    count += fs::read_symlink(entry.path(), ignored).string().find("inotify") != std::string::npos;
  return count;
}

Task<bool> comes_true(const bool& condition) {
  for (int i = 0; i < 5000 && !condition; ++i) co_await sleep_for(0.001);
  co_return condition;
}

TEST(FolderWatch, AFileThatIsRenamedIntoTheFolderIsTold) {
  Loop loop;
  const Folder folder, other("_other");
  const auto story = [&]() -> Task<bool> {
    bool told = false;
    other.make("a");
    const auto watch = co_await watch_folder(folder.path, [&] { told = true; });
    EXPECT_NE(watch, nullptr);
    fs::rename(other.path / "a", folder.path / "a");
    co_return co_await comes_true(told);
  };
  EXPECT_TRUE(loop.run(story()));
}

TEST(FolderWatch, EachWatchOfOneFolderIsToldAndOneMayEndItself) {
  Loop loop;
  const Folder folder;
  const auto story = [&]() -> Task<bool> {
    bool second_told = false;
    int first_told = 0;
    std::unique_ptr<FolderWatch> first = co_await watch_folder(folder.path, [&] {
      ++first_told;
      first.reset();
    });
    const auto second = co_await watch_folder(folder.path, [&] { second_told = true; });
    folder.make("a");
    EXPECT_TRUE(co_await comes_true(second_told));
    second_told = false;
    folder.make("b");
    EXPECT_TRUE(co_await comes_true(second_told));
    co_return first_told == 1;
  };
  EXPECT_TRUE(loop.run(story()));
}

TEST(FolderWatch, AnInstanceOfTheKernelIsNotClosedWithEachWatch) {
  Loop loop;
  const Folder folder;
  const std::size_t before = inotify_instances();
  const auto story = [&]() -> Task<std::size_t> {
    for (int i = 0; i < 10; ++i) co_await watch_folder(folder.path, [] {});
    co_return inotify_instances();
  };
  EXPECT_EQ(loop.run(story()), before + 1);
}

TEST(FolderWatch, AFolderThatIsNotThereCannotBeWatched) {
  Loop loop;
  const auto story = []() -> Task<bool> {
    co_return co_await watch_folder("/no/such/folder", [] {}) == nullptr;
  };
  EXPECT_TRUE(loop.run(story()));
}

}  // namespace
}  // namespace container::test
