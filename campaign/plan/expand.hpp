// Experiments before they have names: config files, then points of the axes, then the list
// `experiments`, each resolved through its layers (lowest first: file, set, per_backend.set, axes,
// experiments[].set).
#pragma once

#include <string>
#include <vector>

#include "campaign/plan/resolve.hpp"

namespace campaign {

struct Draft {
  Experiment experiment;  // name and hash are empty; axes holds what varies
  std::string wish;       // the name as the user gave it, "" = made from `base` and the axes
  std::string base;       // a config's name or the backend; may be ""
  bool templated =
      true;  // name_template applies (not to config files, which have a name of their own)
  Origin origin;
};

// Problems: what axis_points reports; a config file that cannot be used, two config files of one
// name, no experiment at all, a backend that is no plain name, placeholders that lead nowhere.
std::vector<Draft> expand_experiments(const Campaign& campaign, Notices& notices);

}  // namespace campaign
