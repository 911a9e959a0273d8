// Decides, reading by reading, whether a run may start: pure, so that it can be fed a simulated
// plant as well as a sensor. Times are seconds on one clock, temperatures degrees Celsius.
//
// Fixed: it opens at `until`. Adaptive: it opens when no chip has to be waited for any more, and at
// `until` at the latest. A chip has not to be waited for
//   - inside the band: its reading is at most target + band_c. One below the band counts as well:
//     silence does not warm it;
//   - when it has stopped falling: it fell by less than 1 C in the time in which it would fall by 1
//     C at stable_c_per_min. By that rule an integer reading (NVML's) never passes for still while
//     the chip falls faster, and one that has settled is told within that time.
// A reading is the median of the last three (of two the higher), so that a single odd one opens
// nothing; read at least every `poll_seconds`, a chip is seen in the band within a second.
#pragma once

#include <array>
#include <deque>
#include <span>
#include <vector>

#include "controller/progress/wait.hpp"
#include "controller/thermal/decay.hpp"

namespace controller::thermal {

inline constexpr double poll_seconds = 0.25;

struct GateRules {
  enum class Mode { fixed, adaptive } mode = Mode::fixed;
  double until = 0;       // the latest end
  double not_before = 0;  // the earliest one
  double band_c = 3, stable_c_per_min = 1;
  struct Chip {
    std::string label;               // "GPU 1"
    std::optional<double> target_c;  // none: it is waited for until it has stopped falling
  };
  std::vector<Chip> chips;
};

struct Decision {
  enum class Why { waits, fixed, in_band, below_band, stopped_falling, max_wait } why = Why::waits;
  bool go() const { return why != Why::waits; }
  std::string text;  // "gap: GPU 1 at 61 C" of the chip that takes longest; "gap: GPU 1 at 44 C, in
                     // band"
  double seconds_left = 0;           // while it waits; at most until `until`
  Wait::End end = Wait::End::known;  // how that is meant
};
const char* name_of(Decision::Why why);  // "in band", as journals and records have it

class Gate {
 public:
  explicit Gate(GateRules rules);
  // One reading for each chip, NaN where there is none; of a fixed gate none are needed.
  Decision feed(double time, std::span<const double> celsius);

 private:
  struct Chip {
    std::size_t readings = 0;
    std::array<double, 3> last{};                   // the newest is last[(readings - 1) % 3]
    double celsius = 0;                             // their median
    std::deque<std::pair<double, double>> history;  // of medians, over the window
    Decay decay;
  };
  double window() const;  // seconds over which a chip must fall by 1 C
  void take(Chip& chip, double time, double celsius) const;
  Decision::Why state_of(std::size_t chip) const;
  std::optional<double> expected(std::size_t chip) const;
  Decision waiting(double time) const;

  GateRules rules_;
  std::vector<Chip> chips_;
};

}  // namespace controller::thermal
