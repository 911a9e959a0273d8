// The campaign that `campaignctl run` makes of a command line.
#pragma once

#include "campaign/config/value.hpp"
#include "controller/cli/options.hpp"

namespace controller::cli {

struct RunPlaces {
  std::string cwd;     // local commands run there
  std::string folder;  // state and results of this run go below it
};

// A campaign document for LoadRequest.document. Throws CommandError(usage).
campaign::Value run_document(const RunArguments& run, const RunPlaces& places);

}  // namespace controller::cli
