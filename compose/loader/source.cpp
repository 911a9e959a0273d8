#include "compose/loader/source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "compose/loader/diagnostic.hpp"

namespace compose {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

std::string_view Sources::name(std::string path) {
  if (!folder_.empty() && path.starts_with(folder_ + "/")) path.erase(0, folder_.size() + 1);
  for (const std::string& known : names_)
    if (known == path) return known;
  return names_.emplace_back(std::move(path));
}

Source Sources::read(const std::string& path) {
  const std::string_view called = name(path);
  const auto fail = [&](const std::string& why) {
    throw ComposeError({{{std::string(called), 0, 0}, "", why}});
  };
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0)
    fail(errno == ENOENT ? "no such file" : std::string("cannot be read: ") + std::strerror(errno));
  struct stat status{};
  ::fstat(file.get(), &status);
  if (S_ISDIR(status.st_mode)) fail("is a folder; give the file in it");
  if (!S_ISREG(status.st_mode)) fail("is not a regular file");
  Source source{.name = called, .text = {}};
  char buffer[65536];
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(std::string("cannot be read: ") + std::strerror(errno));
    if (count == 0) return source;
    source.text.append(buffer, static_cast<std::size_t>(count));
    if (source.text.size() > largest_file) fail("is larger than 8 MiB; this is no compose file");
  }
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

std::string clean(std::string_view path) {
  std::string text = std::filesystem::path(path).lexically_normal().string();
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text.empty() ? "." : text;
}

std::string absolute(std::string_view path, PathBase base) {
  if (path == "~" || path.starts_with("~/"))
    return clean(std::string(base.home) + std::string(path.substr(1)));
  if (path.starts_with('/')) return clean(path);
  return clean(std::string(base.folder) + "/" + std::string(path));
}

std::string folder_of(std::string_view path) {
  return std::filesystem::path(path).parent_path().string();
}

}  // namespace compose
