// What `plan` and `up --dry-run` print.
#pragma once

#include "controller/cli/console.hpp"

namespace controller::cli {

struct PlanReport {
  Preview preview;
  bool explain = false;
};

// A table in the order of the plan, what has changed, and the forecast as the last line.
std::string plan_text(const PlanReport& report, const Style& style);
std::string plan_json(const PlanReport& report);
// "30 runs, 4 h 10; gaps 2 h 05 (50 %); 33 GPU-hours": gaps as a share of the whole.
std::string forecast_text(const campaign::Forecast& forecast);

}  // namespace controller::cli
