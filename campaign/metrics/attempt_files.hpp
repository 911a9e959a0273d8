// What a payload left in its folder, looked at with suspicion. Nothing outside the folder is ever
// followed: links are resolved by hand, one component at a time, and every open is by folder
// descriptor with O_NOFOLLOW.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace campaign {

// An owned file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept;
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();
  int get() const { return fd_; }
  int release();
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Something in the folder that cannot be a result. The message is one line and names it by its
// relative path.
class UnsafeContent : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Names at the top of an attempt's folder that only the controller writes.
const std::vector<std::string>& reserved_names();
bool is_reserved(const std::string& name);

struct AttemptEntry {
  std::string path;  // relative, with /
  std::int64_t size = 0;
  bool folder = false;
};

class AttemptFiles {
 public:
  // Walks the folder. Throws UnsafeContent for a device, fifo, socket, a link that leaves the
  // folder or loops, more than a million entries, a depth above 64, a folder that cannot be read;
  // std::system_error when the folder is not there.
  explicit AttemptFiles(const std::filesystem::path& folder);

  // In order of path. A link that ends inside appears as what it leads to; a dangling one is left
  // out and noted.
  const std::vector<AttemptEntry>& entries() const { return entries_; }
  const std::vector<std::string>& dangling() const { return dangling_; }
  std::int64_t bytes() const { return bytes_; }  // apparent sizes of regular files; saturates
  bool has(const std::string& path) const;       // a regular file
  // Paths of files (and folders) that a glob matches, reserved names left out. `*`, `?` and `[...]`
  // match within one component, `**` any number of components; a leading dot is matched only by a
  // dot.
  std::vector<std::string> matching_files(const std::string& glob) const;
  std::vector<std::string> matching(const std::string& glob) const;

  // A regular file below the folder, for reading; not open when it is none or cannot be opened
  // (errno tells).
  Fd open(const std::string& path) const;
  // Its content; throws UnsafeContent when it is larger than `cap` or cannot be read.
  std::string read(const std::string& path, std::int64_t cap) const;

 private:
  Fd root_;
  std::vector<AttemptEntry> entries_;
  std::vector<std::string> dangling_;
  std::int64_t bytes_ = 0;
};

bool glob_matches(const std::string& glob, const std::string& path);

// Opens a real folder, not a link to one; not open otherwise.
Fd open_folder(const std::filesystem::path& folder);
// Opens a regular file, never a link, never waiting on a fifo; not open otherwise.
Fd open_regular(int folder, const std::string& name);
Fd open_regular(const std::filesystem::path& file);
// Everything in an open file, at most `cap` bytes. Throws std::system_error.
std::string read_all(int fd, std::int64_t cap);

}  // namespace campaign
