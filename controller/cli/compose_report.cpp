#include "controller/cli/compose_report.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace controller::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& object) {
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

const char* status_text(container::ContainerStatus status) {
  using Status = container::ContainerStatus;
  switch (status) {
    case Status::created:
      return "created";
    case Status::running:
      return "running";
    case Status::paused:
      return "paused";
    case Status::restarting:
      return "restarting";
    case Status::removing:
      return "removing";
    case Status::exited:
      return "exited";
    case Status::dead:
      return "dead";
  }
  return "";
}

const char* health_text(container::Health health) {
  switch (health) {
    case container::Health::none:
      break;
    case container::Health::starting:
      return "starting";
    case container::Health::healthy:
      return "healthy";
    case container::Health::unhealthy:
      return "unhealthy";
  }
  return "";
}

Json health_json(container::Health health) {
  return health == container::Health::none ? Json() : Json(health_text(health));
}

Json exit_code_json(const compose::ObservedContainer& one) {
  const bool ended = one.status == container::ContainerStatus::exited ||
                     one.status == container::ContainerStatus::dead;
  return ended ? Json(one.exit_code) : Json();
}

Json containers(const compose::Observed& seen) {
  Json all = Json::array();
  for (const auto& one : seen.containers)
    all.push_back({{"name", one.name},
                   {"service", one.service},
                   {"number", one.number},
                   {"oneoff", one.oneoff},
                   {"id", one.id},
                   {"image", one.image},
                   {"status", status_text(one.status)},
                   {"health", health_json(one.health)},
                   {"exit_code", exit_code_json(one)}});
  return all;
}

Json steps(const compose::Plan& plan) {
  Json all = Json::array();
  for (const auto& step : plan.steps) {
    Json after = Json::array();
    for (const std::size_t before : step.after) after.push_back(before + 1);
    all.push_back({{"step", compose::text(step)}, {"after", std::move(after)}});
  }
  return all;
}

Json execution_json(const compose::Plan& plan, const compose::Execution& execution) {
  return {{"schema_version", 1},
          {"project", plan.project},
          {"ok", execution.ok},
          {"steps", steps(plan)},
          {"done", execution.done},
          {"failure", execution.failure},
          {"logs", execution.logs},
          {"rolled_back", execution.rolled_back},
          {"warnings", execution.warnings},
          {"left", plan.left}};
}

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width > text.size() ? width - text.size() : 0, ' ');
}

std::string state_text(const compose::ObservedContainer& one) {
  std::string text = status_text(one.status);
  if (one.status == container::ContainerStatus::exited)
    text += " (" + std::to_string(one.exit_code) + ")";
  else if (one.health != container::Health::none)
    text += std::string(" (") + health_text(one.health) + ")";
  return text;
}

std::string image_text(const std::string& image) {
  constexpr std::string_view prefix = "sha256:";
  return image.starts_with(prefix) ? image.substr(prefix.size(), 12) : image;
}

}  // namespace

std::string containers_text(const compose::Observed& seen) {
  std::vector<std::array<std::string, 4>> rows = {{"name", "service", "state", "image"}};
  for (const auto& one : seen.containers)
    rows.push_back({one.name, one.service, state_text(one), image_text(one.image)});
  std::array<std::size_t, 4> widths{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) out += padded(row[i], widths[i]) + "  ";
    out += row.back() + "\n";
  }
  return out;
}

std::string containers_json(const compose::Observed& seen) {
  return dump({{"schema_version", 1}, {"project", seen.project}, {"containers", containers(seen)}});
}

std::string up_json(const compose::UpResult& result) {
  Json object = execution_json(result.plan, result.execution);
  object["containers"] = containers(result.now);
  return dump(object);
}

std::string down_json(const compose::DownResult& result) {
  return dump(execution_json(result.plan, result.execution));
}

std::string plan_json(const compose::Plan& plan) {
  return dump({{"schema_version", 1},
               {"project", plan.project},
               {"steps", steps(plan)},
               {"warnings", plan.warnings}});
}

std::string failure_text(const compose::Execution& execution) {
  if (execution.ok) return "";
  std::string text = execution.failure + "\n";
  if (!execution.logs.empty()) {
    text += "last lines of " + execution.culprit + ":\n" + execution.logs;
    if (!text.ends_with('\n')) text += '\n';
  }
  for (const auto& name : execution.rolled_back) text += "removed again: " + name + "\n";
  return text;
}

}  // namespace controller::cli
