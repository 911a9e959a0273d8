#include "compose/plan.hpp"

namespace compose {

namespace {

std::string words(const Step& step) {
  switch (step.action) {
    case Action::create_network:
      return "create network " + step.subject;
    case Action::remove_network:
      return "remove network " + step.subject;
    case Action::create_volume:
      return "create volume " + step.subject;
    case Action::remove_volume:
      return "remove volume " + step.subject;
    case Action::create_container:
      return "create container " + step.subject;
    case Action::connect:
      return "connect " + step.subject + " to " + step.attachment->network;
    case Action::start:
      return "start " + step.subject;
    case Action::unpause:
      return "unpause " + step.subject;
    case Action::stop:
      return "stop " + step.subject;
    case Action::remove_container:
      return "remove container " + step.subject;
    case Action::await:
      break;
  }
  const std::string state = step.awaited == Awaited::healthy     ? "is healthy"
                            : step.awaited == Awaited::completed ? "has completed"
                                                                 : "is ready";
  return "wait until " + step.subject + " " + state;
}

}  // namespace

std::string text(const Step& step) { return words(step) + ": " + step.cause; }

std::string text(const Plan& plan) {
  std::string all;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    all += std::to_string(i + 1) + " " + text(plan.steps[i]);
    std::string after;
    for (const std::size_t step : plan.steps[i].after)
      after += (after.empty() ? "" : ",") + std::to_string(step + 1);
    all += after.empty() ? "\n" : " [after " + after + "]\n";
  }
  for (const auto& warning : plan.warnings) all += "warning: " + warning + "\n";
  for (const auto& left : plan.left) all += "left: " + left + "\n";
  return all;
}

}  // namespace compose
