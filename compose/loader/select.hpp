// Which services of the files are run, and what of the rest they use.
#pragma once

#include <map>

#include "compose/loader/node.hpp"
#include "compose/model.hpp"

namespace compose {

struct Selection {
  Strings profiles;  // "*" = all
  Strings services;  // empty = all that are enabled
};

// What was taken out.
struct Unselected {
  std::map<std::string, Strings> disabled;  // with their profiles
  Strings unnamed;                          // enabled, but others were named
};

// Takes out what is not enabled, and what is neither named nor needed. A service that is named
// enables its profiles, and what it depends on stays.
Unselected select_services(YamlNode& project, const Selection& selection, Findings& findings);

// Takes out networks, volumes, configs and secrets that no service uses.
void drop_unused(YamlNode& project);

}  // namespace compose
