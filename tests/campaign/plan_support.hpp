// Campaigns written as JSON, for tests of the plan.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "campaign/config/loader.hpp"
#include "campaign/plan/plan.hpp"

namespace campaign {

inline Runner image_runner(const std::string& image) {
  Runner runner;
  runner.image = image;
  runner.command = {"run"};
  return runner;
}

inline Experiment known_experiment(const std::string& name, const std::string& hash) {
  Experiment experiment;
  experiment.name = name;
  experiment.hash = hash;
  return experiment;
}

inline Campaign small_campaign() {
  Campaign campaign;
  campaign.name = "demo";
  campaign.id = "demo";
  campaign.file = "/c/demo.yaml";
  campaign.folder = "/c";
  campaign.document = Value::map({});
  campaign.runner = image_runner("img:1");
  campaign.execution.cycles = 2;
  return campaign;
}

inline Campaign with_axes(const std::string& axes) {
  Campaign campaign = small_campaign();
  campaign.axes = from_json(axes);
  return campaign;
}

inline std::vector<std::string> names(const Plan& plan) {
  std::vector<std::string> result;
  for (const Experiment& each : plan.experiments) result.push_back(each.name);
  return result;
}

inline std::vector<std::string> configs(const Plan& plan) {
  std::vector<std::string> result;
  for (const Experiment& each : plan.experiments) result.push_back(canonical_json(each.config));
  return result;
}

inline std::string problem(const Campaign& campaign) {
  try {
    make_plan(campaign);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace campaign
