// What a supervisor does when a service ends: plain data, given by whoever owns the services, and
// the length of a back-off. Times are seconds. The tables with their reasons: docs/supervision.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace controller::supervise {

// Who is restarted with a service that is: it alone, all of its supervisor, or those after it.
enum class Strategy { one_for_one, one_for_all, rest_for_one };

// permanent: whenever it ended. transient: unless it ended well. temporary: never.
enum class Restart { permanent, transient, temporary };

// The n-th restart in a row waits: nothing; `first`; n x first; 2^(n-1) x first and a jitter of up
// to half of that. All but `immediate` stay within [first, longest], jitter included.
struct BackOff {
  enum class Kind { immediate, fixed, linear, exponential } kind = Kind::exponential;
  double first = 1;
  double longest = 60;
  double most_jitter = 5;
};
inline constexpr BackOff immediate{.kind = BackOff::Kind::immediate};
inline constexpr BackOff fixed_five_seconds{.kind = BackOff::Kind::fixed, .first = 5};

// `restarts_in_a_row` from 1; `chance` in [0, 1) is the random part.
double delay_of(const BackOff& back_off, int restarts_in_a_row, double chance);

struct ServicePolicy {
  std::string name;  // unique in its supervisor
  Restart restart = Restart::permanent;
  double start_within = 60;  // then it is killed, which counts as a crash
  double stop_within = 10;   // from being asked to being killed
  double kill_within = 5;    // from being killed to being given up as lost
};

struct SupervisorPolicy {
  std::string name;  // unique in its host
  Strategy strategy = Strategy::one_for_one;
  BackOff back_off = {};
  double healthy_for = 10;  // running for so long, a service's next back-off is the first again
  // More than so many restarts in any `window_seconds`: the supervisor gives up. nullopt = never.
  std::optional<int> max_restarts = 5;
  double window_seconds = 60;
};

std::string to_text(Strategy strategy);    // "one_for_one"
std::string to_text(Restart restart);      // "permanent"
std::string to_text(BackOff::Kind kind);   // "exponential"
std::string seconds_text(double seconds);  // "1.5 s"

}  // namespace controller::supervise
