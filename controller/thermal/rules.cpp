#include "controller/thermal/rules.hpp"

#include <algorithm>

namespace controller::thermal {

using Kind = GapRules::Kind;
using Mode = campaign::Thermal::Mode;

namespace {

GapRules fixed_for(double seconds) {
  return seconds > 0 ? GapRules{.kind = Kind::fixed, .length = seconds} : GapRules{};
}

bool is_adaptive(const GapQuestion& question) {
  if (question.campaign->execution.config_gap_written) return false;
  const Mode mode = question.campaign->thermal.mode;
  return mode == Mode::adaptive || (mode == Mode::automatic && question.devices);
}

}  // namespace

GapRules gap_before(const GapQuestion& question) {
  const campaign::Execution& execution = question.campaign->execution;
  if (question.campaign->thermal.mode == Mode::none) return {};
  const double cycle =
      question.crosses && execution.cycle_gap_written ? execution.cycle_gap_seconds : 0;
  if (!is_adaptive(question))
    return fixed_for(std::max(campaign::config_gap(*question.campaign), cycle));
  return {.kind = Kind::adaptive,
          .length = std::max(question.campaign->thermal.max_wait, cycle),
          .least = cycle};
}

GapRules without_sensor(const GapRules& rules) {
  if (rules.kind != Kind::adaptive) return rules;
  return fixed_for(std::max(rules.least, std::min(campaign::unwritten_gap_seconds, rules.length)));
}

}  // namespace controller::thermal
