#pragma once

#include <cstdint>
#include <ctime>

namespace container::launcher {

inline timespec read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time;
}

inline std::int64_t monotonic_ns() {
  const timespec time = read_clock(CLOCK_MONOTONIC);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// One moment on three clocks: monotonic nanoseconds (samples are matched with it), seconds since
// boot with suspension (deadlines), seconds since the epoch (people).
struct Moment {
  std::int64_t mono_ns = 0;
  timespec boottime{}, utc{};

  static Moment now() {
    return {monotonic_ns(), read_clock(CLOCK_BOOTTIME), read_clock(CLOCK_REALTIME)};
  }
};

}  // namespace container::launcher
