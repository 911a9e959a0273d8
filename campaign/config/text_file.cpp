#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "campaign/config/yaml_reader.hpp"

namespace campaign {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw ConfigError({{{path, 0, 0}, "", why}});
}

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

YamlText read_text_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    fail(path,
         errno == ENOENT ? "no such file" : std::string("cannot be read: ") + std::strerror(errno));
  }
  struct stat status{};
  ::fstat(file.get(), &status);
  if (S_ISDIR(status.st_mode)) fail(path, "is a folder; give the file in it");
  if (!S_ISREG(status.st_mode)) fail(path, "is not a regular file");
  YamlText source{.text = {}, .name = path};
  char buffer[65536];
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, std::string("cannot be read: ") + std::strerror(errno));
    if (count == 0) return source;
    source.text.append(buffer, static_cast<std::size_t>(count));
    if (source.text.size() > largest_file)
      fail(path, "is larger than 8 MiB; this is no campaign or config file");
  }
}

}  // namespace campaign
