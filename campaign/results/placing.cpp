#include "campaign/results/placing.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "campaign/state/files.hpp"

namespace campaign {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(), path.string());
}

void write_all(int fd, const std::string& content, const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t wrote = ::write(fd, content.data() + done, content.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail(path);
    done += static_cast<std::size_t>(wrote);
  }
}

}  // namespace

bool is_there(const std::filesystem::path& path) { return is_there(AT_FDCWD, path.string()); }

bool is_there(int folder, const std::string& name) {
  struct stat info{};
  if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno != ENOENT && errno != ENOTDIR) fail(name);
  return false;
}

void make_durable_folder(const std::filesystem::path& folder) {
  if (is_there(folder)) return;
  make_private_folders(folder);
  sync_folder(folder.parent_path());
}

void sync_all(int fd, const std::filesystem::path& shown_as) {
  if (::fsync(fd) != 0) fail(shown_as);
}

void rename_exclusively(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno != EINVAL && errno != ENOSYS) fail(errno == EEXIST ? to : from);
  if (is_there(to)) {
    errno = EEXIST;
    fail(to);
  }
  if (::rename(from.c_str(), to.c_str()) != 0) fail(from);
}

void place(const Placement& placement, const std::string& content,
           const std::function<void(const std::string&)>& reached) {
  const auto& temporary = placement.temporary;
  if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) fail(temporary);
  const Fd fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) fail(temporary);
  reached("made for " + placement.name);
  write_all(fd.get(), content, temporary);
  reached("wrote " + placement.name);
  sync_all(fd.get(), temporary);
  if (::renameat(AT_FDCWD, temporary.c_str(), placement.folder, placement.name.c_str()) != 0)
    fail(placement.name);
  reached("placed " + placement.name);
}

bool move_in(const std::filesystem::path& from, int folder, const std::string& name) {
  const Fd fd = open_regular(from);
  if (!fd) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EINVAL) return false;
    fail(from);
  }
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) fail(from);
  if ((info.st_mode & 07777) != 0600 && ::fchmod(fd.get(), 0600) != 0 && errno != EPERM) fail(from);
  if (::renameat(AT_FDCWD, from.c_str(), folder, name.c_str()) != 0) fail(from);
  return true;
}

}  // namespace campaign
