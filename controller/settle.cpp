#include "controller/settle.hpp"

#include <algorithm>
#include <cmath>

namespace controller {

using campaign::FailureClass;

RetryDecision decide_retry(const campaign::Retries& retries, FailureClass cls, int failures) {
  if (cls == FailureClass::config) return {};
  const auto allowed = retries.by_class.find(campaign::name_of(cls));
  const bool again = allowed != retries.by_class.end() && failures < allowed->second;
  if (!again && cls != FailureClass::contaminated) return {};
  constexpr int most_doublings = 60;  // far above any limit, and finite
  const double backoff =
      retries.backoff_seconds * std::pow(2.0, std::min(failures, most_doublings));
  return {.retry = true, .backoff = std::min(backoff, retries.max_backoff_seconds)};
}

int FailureStreaks::add(const Outcome& outcome) {
  Streak& streak = streaks_[outcome.experiment];
  const bool counts =
      outcome.cls == FailureClass::payload || outcome.cls == FailureClass::oom ||
      outcome.cls == FailureClass::gpu_oom || outcome.cls == FailureClass::timeout ||
      outcome.cls == FailureClass::missing_result || outcome.cls == FailureClass::invalid_result;
  if (outcome.cls == FailureClass::none) streak = {};
  if (!counts) return 0;
  const bool same = streak.cls == outcome.cls && streak.exit_code == outcome.exit_code;
  streak = {
      .cls = outcome.cls, .exit_code = outcome.exit_code, .length = same ? streak.length + 1 : 1};
  return streak.length;
}

std::string limit_reached(const LimitInput& input) {
  const campaign::Execution& execution = *input.execution;
  if (execution.max_failures && input.failed >= static_cast<std::size_t>(*execution.max_failures))
    return "execution.max_failures: " + std::to_string(input.failed) + " runs have failed";
  if (!execution.failure_threshold) return "";
  const campaign::FailureThreshold& threshold = *execution.failure_threshold;
  const auto window = static_cast<std::size_t>(threshold.window);
  if (input.outcomes->size() < window) return "";
  const auto counts = [&](const auto& outcome) {
    return std::ranges::find(threshold.classes, campaign::name_of(outcome.second)) !=
           threshold.classes.end();
  };
  const auto failed =
      std::count_if(input.outcomes->end() - threshold.window, input.outcomes->end(), counts);
  if (static_cast<double>(failed) < threshold.rate * threshold.window) return "";
  return "execution.failure_threshold: " + std::to_string(failed) + " of the last " +
         std::to_string(threshold.window) + " attempts failed";
}

}  // namespace controller
