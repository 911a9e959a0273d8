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

}  // namespace compose
