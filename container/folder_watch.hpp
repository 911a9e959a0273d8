// Tells of files that appear in a folder. All watches of one io_context share one inotify
// instance, which lives as long as the context: the kernel takes 5 to 20 ms to close an instance,
// and the thread that closes it stands still meanwhile.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "container/async.hpp"

namespace container {

class FolderWatch {
 public:
  virtual ~FolderWatch() = default;  // nothing is told any more
};

// `appeared` is called on the context's thread after one or several files were made in the folder
// or renamed into it; it may end the watch. nullptr: the folder cannot be watched. The watch must
// not outlive the context.
Task<std::unique_ptr<FolderWatch>> watch_folder(const std::filesystem::path& folder,
                                                std::function<void()> appeared);

}  // namespace container
