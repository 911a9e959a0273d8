#include "controller/cli/plan_report.hpp"

#include "controller/cli/as_docker.hpp"
#include "controller/cli/commands.hpp"

namespace controller::cli {

int plan_command(const Arguments& arguments, Console& console) {
  const PlanArguments& plan = arguments.plan;
  const campaign::Campaign campaign = load(arguments, plan.source);
  const PlanReport report{.preview = preview(campaign, plan.options), .explain = plan.explain};
  print_warnings(report.preview.campaign, arguments.global, console);
  if (plan.as == "docker") {
    for (const campaign::Experiment& experiment : report.preview.plan.experiments)
      console.out << as_docker(report.preview.campaign, experiment) << "\n";
    return 0;
  }
  console.out << (arguments.global.json ? plan_json(report) : plan_text(report, console.style));
  return 0;
}

}  // namespace controller::cli
