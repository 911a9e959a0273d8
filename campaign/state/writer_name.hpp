// Names of journal files carry their order: "<host>-<pid>-<boot8>-<n>", a larger n began later.
#pragma once

#include <string_view>

namespace campaign {

int generation_of(std::string_view writer);  // n; 0 when the name has none

}  // namespace campaign
