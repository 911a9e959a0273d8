#include "controller/progress/writer.hpp"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace controller {
namespace {

constexpr std::size_t most_pending = std::size_t{1} << 20;
constexpr int patience_ms = 1000;

bool writable(int fd, int timeout_ms) {
  pollfd entry{.fd = fd, .events = POLLOUT, .revents = 0};
  return poll(&entry, 1, timeout_ms) == 1 && (entry.revents & POLLOUT) != 0;
}

}  // namespace

void PatientWriter::drain(int timeout_ms) {
  while (!pending_.empty() && writable(fd_, timeout_ms)) {
    const std::size_t size = std::min<std::size_t>(pending_.size(), PIPE_BUF);
    const ssize_t written = write(fd_, pending_.data(), size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno != EAGAIN) pending_.clear();
    if (written <= 0) return;
    pending_.erase(0, static_cast<std::size_t>(written));
  }
}

void PatientWriter::line(const std::string& text) {
  pending_ += text;
  if (pending_.size() > most_pending) {
    const std::size_t end = pending_.find('\n', pending_.size() - most_pending);
    pending_.erase(0, end == std::string::npos ? pending_.size() : end + 1);
  }
  drain(0);
}

bool PatientWriter::frame(const std::string& text) {
  drain(0);
  if (!pending_.empty() || !writable(fd_, 0)) return false;
  pending_ = text;
  drain(0);
  return true;
}

void PatientWriter::finish() { drain(patience_ms); }

}  // namespace controller
