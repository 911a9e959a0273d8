// The compose files that a campaign names: what the identity of its experiments takes from them,
// and the project that its runs are carried out in.
#pragma once

#include <set>

#include "campaign/state/manifest.hpp"
#include "compose/model.hpp"

namespace controller {

// Reads what every service is into the campaign (campaign::add_services), profiles aside: a runner
// that names a service enables it. Nothing where the campaign names no compose file. Of
// values of variables that look like secrets by name only a digest is taken, wherever they stand.
// Throws ComposeError.
void take_services(campaign::Campaign& campaign);

// The services that the experiments of a plan are carried out with, servers included; by name, each
// once.
compose::Strings services_in_use(const campaign::Campaign& campaign, const campaign::Plan& plan);
// Those of which the runs never have two containers at once: one worker, no overlap of runs, and
// used in one way only (a one-off, held, or the server).
std::set<std::string> services_alone(const campaign::Campaign& campaign,
                                     const campaign::Plan& plan);

// The services in use as a plan has them, and all that those depend on. Throws ComposeError.
compose::Project planned_project(const campaign::Campaign& campaign, const campaign::Plan& plan);
// The project of a session: the services in use and all that those depend on. Throws ComposeError,
// and CommandError(usage) with each difference where a service is not what the session began with.
compose::Project session_project(const campaign::Campaign& campaign,
                                 const campaign::Manifest& manifest);

// `container.project_name`, else made of the campaign's id and the first digits of its uid.
std::string project_name(const campaign::Campaign& campaign, const std::string& uid);

compose::StringMap callers_environment();

}  // namespace controller
