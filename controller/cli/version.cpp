#include "controller/cli/version.hpp"

#include "controller/cli/commands.hpp"

namespace controller::cli {

const char* version() { return CAMPAIGNCTL_VERSION; }

int version_command(const Arguments& arguments, Console& console) {
  if (arguments.global.json)
    console.out << R"({"schema_version":1,"version":")" << version() << "\"}\n";
  else
    console.out << "campaignctl " << version() << "\n";
  return 0;
}

}  // namespace controller::cli
