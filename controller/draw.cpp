#include "controller/draw.hpp"

#include <algorithm>
#include <limits>

namespace controller {

using campaign::RunPhase;
using campaign::RunState;

DrawOrder::DrawOrder(const campaign::Plan& plan, const campaign::Fold& fold, Rules rules)
    : fold_(fold), rules_(rules) {
  ids_.reserve(plan.runs.size());
  for (const auto& run : plan.runs) ids_.push_back(campaign::run_id(plan, run));
  const auto key = [&](std::size_t i) {
    const auto& run = plan.runs[i];
    return rules_.by_experiment ? static_cast<std::int64_t>(run.experiment) : run.cycle;
  };
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    if (i == 0 || key(i) != key(i - 1)) rounds_.emplace_back();
    rounds_.back().runs.push_back(static_cast<std::uint32_t>(i));
  }
}

void DrawOrder::select_only(std::set<std::size_t> selected) { selected_ = std::move(selected); }

bool DrawOrder::eligible(std::size_t index) const {
  return selected_.empty() || selected_.contains(index);
}

bool DrawOrder::over(std::size_t index, const InFlight& in_flight) const {
  return !eligible(index) || (!in_flight.contains(index) && fold_.run(ids_[index]).done());
}

bool DrawOrder::settled(Round& round, const InFlight& in_flight) const {
  while (round.begin < round.runs.size() && over(round.runs[round.begin], in_flight)) ++round.begin;
  return round.begin == round.runs.size();
}

// `passed`: runs that are over and were looked at in vain.
Drawn DrawOrder::look_through(const Round& round, const InFlight& in_flight,
                              std::size_t& passed) const {
  Drawn retry{.kind = Drawn::Kind::done, .until_utc = std::numeric_limits<double>::infinity()};
  bool others = false;
  for (std::size_t at = round.begin; at < round.runs.size(); ++at) {
    const std::size_t i = round.runs[at];
    if (over(i, in_flight)) {
      ++passed;
      continue;
    }
    if (in_flight.contains(i)) {
      others = true;
      continue;
    }
    const RunState& state = fold_.run(ids_[i]);
    if (state.phase == RunPhase::pending) return {.kind = Drawn::Kind::run, .index = i};
    if (state.retry_not_before_utc < retry.until_utc)
      retry = {
          .kind = Drawn::Kind::wait_until, .index = i, .until_utc = state.retry_not_before_utc};
  }
  if (retry.kind == Drawn::Kind::done && others) retry.kind = Drawn::Kind::wait_others;
  return retry;
}

Drawn DrawOrder::next_in(Round& round, const InFlight& in_flight, double now_utc) const {
  constexpr std::size_t worth_dropping = 64;
  std::size_t passed = 0;
  Drawn drawn = look_through(round, in_flight, passed);
  if (drawn.kind == Drawn::Kind::wait_until && drawn.until_utc <= now_utc)
    drawn.kind = Drawn::Kind::run;
  if (passed < worth_dropping) return drawn;
  const auto from = round.runs.begin() + static_cast<std::ptrdiff_t>(round.begin);
  auto to = from;
  for (std::size_t left = passed; left > 0; ++to) left -= over(*to, in_flight);
  const auto kept = std::remove_if(from, to, [&](std::size_t i) { return over(i, in_flight); });
  round.runs.erase(kept, to);
  return drawn;
}

Drawn DrawOrder::next(const std::set<std::size_t>& in_flight, double now_utc, bool look_ahead) {
  while (first_open_ < rounds_.size() && settled(rounds_[first_open_], in_flight)) ++first_open_;
  Drawn best{.kind = Drawn::Kind::done, .until_utc = std::numeric_limits<double>::infinity()};
  const std::size_t reach = look_ahead       ? first_open_ + 2
                            : rules_.barrier ? first_open_ + 1
                                             : rounds_.size();
  for (std::size_t r = first_open_; r < std::min(reach, rounds_.size()); ++r) {
    Drawn drawn = next_in(rounds_[r], in_flight, now_utc);
    drawn.next_round = r > first_open_;
    if (drawn.kind == Drawn::Kind::run) return drawn;
    const bool better = drawn.kind == Drawn::Kind::wait_until && drawn.until_utc < best.until_utc;
    if (better || (drawn.kind == Drawn::Kind::wait_others && best.kind == Drawn::Kind::done))
      best = drawn;
  }
  return best;
}

}  // namespace controller
