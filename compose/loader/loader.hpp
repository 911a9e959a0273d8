// From compose files to a Project, as `docker compose` 2.x reads them (docs/compose.md): lookup of
// the files, .env, ${...}, merge, extends, include, profiles, defaults. Strict: every unknown key,
// wrong type and unsupported feature is reported with file:line:col, all of them at once.
#pragma once

#include "compose/loader/diagnostic.hpp"
#include "compose/loader/request.hpp"
#include "compose/model.hpp"

namespace compose {

struct Loaded {
  Project project;
  Strings warnings;       // a line each
  std::string canonical;  // what `docker compose config` prints for the same files
};

// Throws ComposeError; a file that cannot be read is one too.
Loaded load_project(const LoadRequest& request);

}  // namespace compose
