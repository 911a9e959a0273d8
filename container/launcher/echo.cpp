#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "container/launcher/supervisor.hpp"

namespace container::launcher {
namespace {

constexpr int patience_ms = 5000;
constexpr std::size_t never_blocking = 4096;  // a pipe that polls writable takes this much

bool write_patiently(int fd, const char* data, std::size_t length) {
  while (length > 0) {
    pollfd target{.fd = fd, .events = POLLOUT, .revents = 0};
    const int ready = poll(&target, 1, patience_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || !(target.revents & POLLOUT)) return false;
    const ssize_t n = write(fd, data, std::min(length, never_blocking));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return false;
    data += n;
    length -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

void Supervisor::echo() const {
  if (!out_ || !err_) return;
  const std::uint64_t all = options_.echo, half = all / 2;
  const std::uint64_t from_out = out_->held(all), from_err = err_->held(all);
  const std::uint64_t out_share = std::max(half, all - std::min(all, from_err));
  const std::uint64_t out_count = std::min(from_out, out_share);
  const std::uint64_t err_count = std::min(from_err, all - out_count);
  const auto to = [](int fd) {
    return [fd](const char* data, std::size_t length) { return write_patiently(fd, data, length); };
  };
  out_->recall(out_count, to(STDOUT_FILENO));
  err_->recall(err_count, to(STDERR_FILENO));
}

}  // namespace container::launcher
