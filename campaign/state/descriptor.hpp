// A file descriptor that is closed by its owner.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace campaign {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// std::system_error of errno with the path in its message.
[[noreturn]] void throw_errno(const std::string& what, const std::filesystem::path& path);
// Writes all of it, at the descriptor's position; false with errno set when it could not.
bool write_all(int fd, std::string_view bytes);

}  // namespace campaign
