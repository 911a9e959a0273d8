#include "controller/thermal/gate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace controller::thermal {

using Why = Decision::Why;

namespace {

constexpr double resolution = 1;  // degrees Celsius: what the coarsest sensors tell apart
constexpr double minute = 60;
constexpr double endless = std::numeric_limits<double>::infinity();

std::string at(const std::string& label, double celsius) {
  return "gap: " + label + " at " + std::to_string(std::lround(celsius)) + " C";
}

double median(const std::array<double, 3>& last, std::size_t readings) {
  if (readings == 1) return last[0];
  if (readings == 2) return std::max(last[0], last[1]);
  return std::max(std::min(last[0], last[1]), std::min(std::max(last[0], last[1]), last[2]));
}

// Between the first two of a history; nullopt: it begins later.
std::optional<double> warmth_at(const std::deque<std::pair<double, double>>& history, double time) {
  const auto& [begin, warmth] = history.front();
  if (begin > time) return std::nullopt;
  if (history.size() == 1) return warmth;
  const auto& [next, cooler] = history[1];
  return warmth + (cooler - warmth) * (time - begin) / (next - begin);
}

}  // namespace

const char* name_of(Why why) {
  switch (why) {
    case Why::waits:
      return "waits";
    case Why::fixed:
      return "fixed";
    case Why::in_band:
      return "in band";
    case Why::below_band:
      return "below band";
    case Why::stopped_falling:
      return "stopped falling";
    case Why::max_wait:
      return "max_wait";
  }
  return "";
}

Gate::Gate(GateRules rules) : rules_(std::move(rules)), chips_(rules_.chips.size()) {}

double Gate::window() const {
  return rules_.stable_c_per_min > 0 ? resolution / rules_.stable_c_per_min * minute : endless;
}

void Gate::take(Chip& chip, double time, double celsius) const {
  chip.last[chip.readings++ % chip.last.size()] = celsius;
  chip.celsius = median(chip.last, chip.readings);
  chip.decay.add(time, celsius);
  if (window() == endless) return;
  chip.history.emplace_back(time, chip.celsius);
  while (chip.history.size() > 1 && chip.history[1].first <= time - window())
    chip.history.pop_front();
}

Why Gate::state_of(std::size_t index) const {
  const Chip& chip = chips_[index];
  const std::optional<double>& target = rules_.chips[index].target_c;
  if (target && chip.celsius < *target - rules_.band_c) return Why::below_band;
  if (target && chip.celsius <= *target + rules_.band_c) return Why::in_band;
  if (chip.history.empty()) return Why::waits;
  const auto then = warmth_at(chip.history, chip.history.back().first - window());
  return then && *then - chip.celsius < resolution ? Why::stopped_falling : Why::waits;
}

// Until the band, or until the fall over a window, (T - T_inf) (e^(window / tau) - 1), is below the
// resolution.
std::optional<double> Gate::expected(std::size_t index) const {
  const Chip& chip = chips_[index];
  const auto cooling = chip.decay.fit();
  if (!cooling) return std::nullopt;
  std::optional<double> least;
  const auto offer = [&](const std::optional<double>& seconds) {
    if (seconds && (!least || *seconds < *least)) least = seconds;
  };
  if (const auto& target = rules_.chips[index].target_c)
    offer(cooling->seconds_until(*target + rules_.band_c));
  if (window() < endless) {
    const double rest = resolution / std::expm1(window() / cooling->tau);
    const double seen = chip.history.back().first - chip.history.front().first;
    if (const auto still = cooling->seconds_until(cooling->t_inf + rest))
      offer(std::max(*still, window() - seen));
  }
  return least;
}

Decision Gate::waiting(double time) const {
  const double most = std::max(0.0, rules_.until - time);
  const double least = std::clamp(rules_.not_before - time, 0.0, most);
  Decision decision{.why = Why::waits, .text = "gap", .seconds_left = least};
  bool told = false;
  const auto unread = [](const Chip& chip) { return chip.readings == 0; };
  if (std::ranges::all_of(chips_, unread)) {
    decision.seconds_left = most;
    if (!chips_.empty()) decision.end = Wait::End::at_most;
  }
  for (std::size_t i = 0; i < chips_.size(); ++i) {
    if (chips_[i].readings == 0 || state_of(i) != Why::waits) continue;
    const auto seconds = expected(i);
    const double left = std::min(seconds.value_or(most), most);
    if (std::exchange(told, true) && left < decision.seconds_left) continue;
    decision.seconds_left = std::max(left, least);
    decision.text = at(rules_.chips[i].label, chips_[i].celsius);
    decision.end = seconds && *seconds < most ? Wait::End::forecast : Wait::End::at_most;
  }
  return decision;
}

Decision Gate::feed(double time, std::span<const double> celsius) {
  for (std::size_t i = 0; i < std::min(celsius.size(), chips_.size()); ++i)
    if (std::isfinite(celsius[i])) take(chips_[i], time, celsius[i]);
  if (rules_.mode == GateRules::Mode::fixed)
    return time < rules_.until ? waiting(time) : Decision{.why = Why::fixed, .text = "gap: over"};
  // Of several chips the one that is furthest from its target tells why.
  constexpr std::array order = {Why::below_band, Why::in_band, Why::stopped_falling, Why::waits};
  const auto rank = [&](Why why) { return std::find(order.begin(), order.end(), why); };
  std::optional<std::size_t> slowest;
  for (std::size_t i = 0; i < chips_.size(); ++i)
    if (chips_[i].readings > 0 && (!slowest || rank(state_of(i)) > rank(state_of(*slowest))))
      slowest = i;
  Why why = slowest && time >= rules_.not_before ? state_of(*slowest) : Why::waits;
  if (why == Why::waits && time >= rules_.until) why = Why::max_wait;
  if (why == Why::waits) return waiting(time);
  const std::string where =
      slowest ? at(rules_.chips[*slowest].label, chips_[*slowest].celsius) + ", " : "gap: ";
  return {.why = why, .text = where + name_of(why)};
}

}  // namespace controller::thermal
