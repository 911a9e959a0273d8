#include "container/launcher/out_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace container::launcher {
namespace {

constexpr int creating = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW;

bool write_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

std::string temporary_name(const char* name) {
  return std::string(".") + name + "." + std::to_string(getpid()) + ".tmp";
}

}  // namespace

OutFolder::~OutFolder() {
  if (fd_ >= 0) close(fd_);
}

std::string OutFolder::open(const std::string& path) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd_ < 0 ? strerror(errno) : "";
}

std::string OutFolder::write_temporary(const std::string& name, const std::string& text) {
  unlinkat(fd_, name.c_str(), 0);
  const int fd = openat(fd_, name.c_str(), creating | O_EXCL, 0600);
  if (fd < 0) return strerror(errno);
  bool good = write_all(fd, text);
  int error = errno;
  if (close(fd) != 0 && good) {
    good = false;
    error = errno;
  }
  if (good) return "";
  unlinkat(fd_, name.c_str(), 0);
  return strerror(error);
}

OutFolder::Claim OutFolder::claim(const char* name, const std::string& text) {
  const std::string temporary = temporary_name(name);
  error_ = write_temporary(temporary, text);
  if (!error_.empty()) return Claim::failed;
  const int linked = linkat(fd_, temporary.c_str(), fd_, name, 0);
  const int error = errno;
  unlinkat(fd_, temporary.c_str(), 0);
  if (linked == 0) return Claim::created;
  if (error == EEXIST) return Claim::exists;
  const int fd = openat(fd_, name, creating | O_EXCL, 0600);
  if (fd < 0 && errno == EEXIST) return Claim::exists;
  const bool good = fd >= 0 && write_all(fd, text) && close(fd) == 0;
  if (!good) error_ = strerror(errno);
  return good ? Claim::created : Claim::failed;
}

std::optional<std::string> OutFolder::read(const char* name) const {
  const int fd = openat(fd_, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return std::nullopt;
  char text[4096];
  const ssize_t n = ::read(fd, text, sizeof text);
  close(fd);
  if (n < 0) return std::nullopt;
  return std::string(text, static_cast<std::size_t>(n));
}

int OutFolder::create(const char* name) const {
  return openat(fd_, name, creating | O_TRUNC, 0600);
}

std::string OutFolder::publish(const char* name, const std::string& text) {
  const std::string temporary = temporary_name(name);
  std::string error = write_temporary(temporary, text);
  if (!error.empty()) return error;
  if (renameat(fd_, temporary.c_str(), fd_, name) != 0) {
    const std::string why = strerror(errno);
    unlinkat(fd_, temporary.c_str(), 0);
    return why;
  }
  return "";
}

}  // namespace container::launcher
