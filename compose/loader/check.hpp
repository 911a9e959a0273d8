// What can only be seen across keys: services and resources that are referred to and not there,
// circles, values that contradict each other.
#pragma once

#include <map>

#include "compose/loader/node.hpp"
#include "compose/model.hpp"

namespace compose {

// `disabled`: services that are there in a profile that is not enabled.
void check(const YamlNode& project, const std::map<std::string, Strings>& disabled,
           Findings& findings);

}  // namespace compose
