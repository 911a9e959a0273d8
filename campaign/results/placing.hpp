// Small durable changes to folders, by descriptor. All throw std::system_error that names the file.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>

#include "campaign/metrics/attempt_files.hpp"

namespace campaign {

bool is_there(const std::filesystem::path& path);  // a link counts, wherever it leads
bool is_there(int folder, const std::string& name);
void make_durable_folder(
    const std::filesystem::path& folder);  // 0700; its own entry is synced when it is new
void sync_all(int fd, const std::filesystem::path& shown_as);
// Renames; fails with EEXIST where `to` exists.
void rename_exclusively(const std::filesystem::path& from, const std::filesystem::path& to);

// Puts a file under a name in an open folder in one step: written and synced at `temporary` (made
// O_EXCL, 0600; an old one is removed), then renamed over `name`. The folder itself is not synced.
struct Placement {
  int folder = -1;
  std::string name;
  std::filesystem::path temporary;
};
void place(const Placement& placement, const std::string& content,
           const std::function<void(const std::string&)>& reached);
// Renames one of ours out of ctl/ into the folder: a regular file, made 0600. False when there is
// none.
bool move_in(const std::filesystem::path& from, int folder, const std::string& name);

}  // namespace campaign
