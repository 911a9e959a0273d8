// In which order services start: what depends on nothing first, names in alphabetical order where
// nothing else decides.
#pragma once

#include <set>

#include "compose/service_spec.hpp"

namespace compose {

// Every enabled service, each after what it depends on. NotPossible names a circle.
Strings start_order(const Project& project);

// These services and all that they depend on; empty `wanted` = all that are enabled.
std::set<std::string> with_dependencies(const Project& project, const Strings& wanted);
// What each of these depends on, over any number of steps; itself only where another one does.
std::set<std::string> dependencies_of(const Project& project, const Strings& services);

}  // namespace compose
