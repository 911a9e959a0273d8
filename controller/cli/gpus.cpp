#include "controller/cli/commands.hpp"
#include "controller/cli/gpus_report.hpp"
#include "controller/errors.hpp"

namespace controller::cli {

int gpus_command(const Arguments& arguments, Console& console) {
  GpusRequest request = gpus_request();
  request.select = arguments.gpus.select;
  const GpusReport report = gpus_report(request);
  console.out << (arguments.global.json ? gpus_json(report) : gpus_text(report));
  const bool failed =
      !report.grant_fault.empty() || (report.inventory.devices.empty() && has_fault(report));
  return static_cast<int>(failed ? ExitCode::environment : ExitCode::ok);
}

}  // namespace controller::cli
