#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "campaign/state/journal.hpp"

namespace campaign {

namespace {

constexpr double nano = 1e-9;

timespec now(clockid_t id) {
  timespec time{};
  ::clock_gettime(id, &time);
  return time;
}

double seconds(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * nano;
}

std::string read_boot_id() {
  std::array<char, 64> buffer{};
  const int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "00000000-0000-0000-0000-000000000000";
  const ssize_t size = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  std::string id(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!id.empty() && (id.back() == '\n' || id.back() == ' ')) id.pop_back();
  return id;
}

class SystemClock : public Clock {
 public:
  double utc() const override { return seconds(now(CLOCK_REALTIME)); }
  double boottime() const override { return seconds(now(CLOCK_BOOTTIME)); }
  std::int64_t monotonic_ns() const override {
    const timespec time = now(CLOCK_MONOTONIC);
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  }
  std::string boot_id() const override { return boot_id_; }

 private:
  const std::string boot_id_ = read_boot_id();
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string rfc3339(double utc, int decimals) {
  decimals = std::clamp(decimals, 0, 9);
  if (!std::isfinite(utc) || std::abs(utc) > 2e11) utc = 0;
  const double scale = std::pow(10.0, decimals);
  const double whole = std::floor(utc);
  auto fraction = static_cast<long long>(std::floor((utc - whole) * scale + 0.5));
  auto time = static_cast<std::time_t>(whole);
  if (fraction >= static_cast<long long>(scale)) {
    fraction = 0;
    ++time;
  }
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 64> buffer{};
  std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::string text = buffer.data();
  if (decimals > 0) {
    std::snprintf(buffer.data(), buffer.size(), ".%0*lld", decimals, fraction);
    text += buffer.data();
  }
  return text + "Z";
}

double parse_rfc3339(const std::string& text) {
  std::tm parts{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return 0;
  double fraction = 0;
  double weight = 0.1;
  if (*rest == '.') {
    for (++rest; *rest >= '0' && *rest <= '9'; ++rest, weight /= 10)
      fraction += (*rest - '0') * weight;
  }
  return static_cast<double>(::timegm(&parts)) + fraction;
}

}  // namespace campaign
