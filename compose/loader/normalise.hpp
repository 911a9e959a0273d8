// What follows from the files without standing there.
#pragma once

#include "compose/loader/environment.hpp"

namespace compose {

// Defaults, names on the engine, dependencies that a link or a shared namespace makes.
struct NormaliseRequest {
  std::string name;
  std::string folder;
};
void normalise(YamlNode& project, const NormaliseRequest& request);

struct FillRequest {
  const StringMap& environment;
  Sources& sources;
  Findings& findings;
};
// The contents of env_file and label_file, and what comes from the caller.
void fill_environments(YamlNode& project, const FillRequest& request);

}  // namespace compose
