#include <nlohmann/json.hpp>

#include "controller/cli/commands.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

std::string down_json(const DownResult& result) {
  const nlohmann::ordered_json object = {
      {"schema_version", 1}, {"removed", result.removed}, {"left", result.left}};
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string down_text(const DownResult& result) {
  std::string out;
  for (const std::string& name : result.removed) out += "removed " + name + "\n";
  for (const std::string& name : result.left) out += "left " + name + "\n";
  return out.empty() ? "nothing to remove\n" : out;
}

}  // namespace

int down_command(const Arguments& arguments, Console& console) {
  DownRequest request{
      .located = {}, .orphans = arguments.down.orphans, .force = arguments.down.force};
  if (!request.orphans || !arguments.down.campaign.empty()) {
    request.located = locate(locate_request(arguments, arguments.down.campaign));
    if (controller_is_alive(*request.located))
      throw CommandError(ExitCode::held, request.located->campaign_id + " is being run by " +
                                             holder_text(*request.located) +
                                             "; `campaignctl stop " + request.located->campaign_id +
                                             "` first");
  }
  const DownResult result = down(request);
  if (arguments.global.json)
    console.out << down_json(result);
  else if (arguments.global.verbosity >= 0)
    console.out << down_text(result);
  return 0;
}

}  // namespace controller::cli
