#include "container/launcher/log_pump.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "container/launcher/clocks.hpp"
#include "container/launcher/window.hpp"

namespace container::launcher {
namespace {

constexpr std::uint64_t marker_room = 64, longest_tail = 1 << 20;
constexpr std::size_t longest_read = 256 << 10;

}  // namespace

LogPump::LogPump(Setup setup) : pipe_(setup.pipe), cap_(setup.cap) {
  tail_ = std::min(longest_tail, cap_ / 2);
  head_ = cap_ - tail_ - std::min(marker_room, cap_ / 4);
  size_ = std::max(cap_ - head_, setup.recall);
  size_ = (size_ + 0xffff) & ~static_cast<std::size_t>(0xffff);
  void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ring_ = memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

LogPump::~LogPump() {
  if (ring_) munmap(ring_, size_);
  if (pipe_ >= 0) close(pipe_);
  if (file_ >= 0) close(file_);
}

bool LogPump::write_file(const char* data, std::size_t length) {
  while (length > 0 && error_.empty()) {
    const ssize_t n = write(file_, data, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      error_ = strerror(n < 0 ? errno : EIO);
      return false;
    }
    data += n;
    length -= static_cast<std::size_t>(n);
    kept_ += static_cast<std::uint64_t>(n);
    line_open_ = data[-1] != '\n';
  }
  return error_.empty();
}

LogPump::Drain LogPump::drain(WindowMarks* marks) {
  const std::size_t at = total_ % size_;
  const ssize_t n = read(pipe_, ring_ + at, std::min(longest_read, size_ - at));
  if (n < 0 && errno == EINTR) return Drain::more;
  if (n < 0 && errno == EAGAIN) return Drain::empty;
  if (n <= 0) return Drain::ended;
  const auto count = static_cast<std::size_t>(n);
  if (marks && !marks->idle()) marks->take(ring_ + at, count, monotonic_ns());
  if (total_ < head_) write_file(ring_ + at, std::min<std::uint64_t>(count, head_ - total_));
  total_ += count;
  if (total_ > head_) show_life();
  return Drain::more;
}

void LogPump::show_life() {
  constexpr std::int64_t interval_ns = 1'000'000'000;
  const std::int64_t now = monotonic_ns();
  if (file_ < 0 || now - life_shown_ns_ < interval_ns) return;
  life_shown_ns_ = now;
  futimens(file_, nullptr);
}

std::uint64_t LogPump::held(std::uint64_t wish) const {
  return std::min({wish, total_, static_cast<std::uint64_t>(size_)});
}

void LogPump::finish() {
  const auto append = [this](const char* data, std::size_t length) {
    return write_file(data, length);
  };
  if (error_.empty() && total_ > cap_) {
    char marker[marker_room];
    const int length =
        snprintf(marker, sizeof marker, "%s[campaignctl: %" PRIu64 " bytes left out]\n",
                 line_open_ ? "\n" : "", total_ - head_ - tail_);
    if (write_file(marker, static_cast<std::size_t>(length))) {
      kept_ -= static_cast<std::uint64_t>(length);
      recall(tail_, append);
    }
  } else if (error_.empty() && total_ > head_) {
    recall(total_ - head_, append);
  }
  if (file_ >= 0 && close(file_) != 0 && error_.empty()) error_ = strerror(errno);
  file_ = -1;
}

}  // namespace container::launcher
