// The docker command that a person would type to run one experiment once, without campaignctl.
#pragma once

#include <string>

#include "campaign/plan/plan.hpp"

namespace controller::cli {

// A comment line with the experiment's name, then one command over several lines. Expects the
// experiment's config in
// ./<experiment>.yaml and leaves results in ./<experiment>. Placeholders of a run (cycle, attempt)
// are those of the first. A local runner gives the plain command.
std::string as_docker(const campaign::Campaign& campaign, const campaign::Experiment& experiment);

}  // namespace controller::cli
