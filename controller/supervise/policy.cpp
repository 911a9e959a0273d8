#include "controller/supervise/policy.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace controller::supervise {

double delay_of(const BackOff& back_off, int restarts_in_a_row, double chance) {
  const int n = std::max(restarts_in_a_row, 1);
  const auto bounded = [&](double delay) {
    return std::clamp(delay, back_off.first, std::max(back_off.first, back_off.longest));
  };
  switch (back_off.kind) {
    case BackOff::Kind::immediate:
      return 0;
    case BackOff::Kind::fixed:
      return back_off.first;
    case BackOff::Kind::linear:
      return bounded(n * back_off.first);
    case BackOff::Kind::exponential:
      break;
  }
  const double base = bounded(std::ldexp(back_off.first, std::min(n - 1, 60)));
  const double spread = std::min(back_off.most_jitter, base / 2);
  // At the cap the jitter goes below it, so that services that fail together still part.
  const double lower = std::min(base, back_off.longest - spread);
  return bounded(lower + spread * chance);
}

std::string to_text(Strategy strategy) {
  switch (strategy) {
    case Strategy::one_for_one:
      return "one_for_one";
    case Strategy::one_for_all:
      return "one_for_all";
    case Strategy::rest_for_one:
      break;
  }
  return "rest_for_one";
}

std::string to_text(Restart restart) {
  switch (restart) {
    case Restart::permanent:
      return "permanent";
    case Restart::transient:
      return "transient";
    case Restart::temporary:
      break;
  }
  return "temporary";
}

std::string to_text(BackOff::Kind kind) {
  switch (kind) {
    case BackOff::Kind::immediate:
      return "immediate";
    case BackOff::Kind::fixed:
      return "fixed";
    case BackOff::Kind::linear:
      return "linear";
    case BackOff::Kind::exponential:
      break;
  }
  return "exponential";
}

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g s", seconds);
  return text;
}

}  // namespace controller::supervise
