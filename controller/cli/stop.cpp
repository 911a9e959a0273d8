#include "campaign/state/files.hpp"
#include "controller/cli/commands.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

const char* what_happens(campaign::StopRequest::When when) {
  switch (when) {
    case campaign::StopRequest::When::after_run:
      return "when the runs under way have ended";
    case campaign::StopRequest::When::after_cycle:
      return "when the cycle is complete";
    case campaign::StopRequest::When::now:
      return "now; the runs under way will be run again";
  }
  return "";
}

const char* name_of(campaign::StopRequest::When when) {
  switch (when) {
    case campaign::StopRequest::When::after_run:
      return "after-run";
    case campaign::StopRequest::When::after_cycle:
      return "after-cycle";
    case campaign::StopRequest::When::now:
      return "now";
  }
  return "";
}

}  // namespace

int stop_command(const Arguments& arguments, Console& console) {
  const Located located = locate(locate_request(arguments, arguments.stop.campaign));
  if (!controller_is_alive(located))
    throw CommandError(ExitCode::usage, located.campaign_id +
                                            ": no controller runs it, nothing to stop; "
                                            "`campaignctl status " +
                                            located.campaign_id + "` says how it stands");
  const std::string unsafe = campaign::unsafe_ownership(located.session.control().parent_path());
  if (!unsafe.empty()) throw CommandError(ExitCode::environment, unsafe);
  campaign::write_stop_request(located.session.control(), {.when = arguments.stop.when});
  if (arguments.global.json)
    console.out << R"({"schema_version":1,"campaign_id":")" << located.campaign_id
                << R"(","asked":true,"when":")" << name_of(arguments.stop.when) << "\"}\n";
  else if (arguments.global.verbosity >= 0)
    console.out << located.campaign_id << ": " << holder_text(located) << " stops "
                << what_happens(arguments.stop.when) << "; `campaignctl resume "
                << located.campaign_id << "` goes on\n";
  return 0;
}

}  // namespace controller::cli
