// From compose files to a Project, as `docker compose` 2.x reads them (docs/compose.md): lookup of
// the files, .env, ${...}, merge, extends, include, profiles, defaults. Strict: every unknown key,
// wrong type and unsupported feature is reported with file:line:col, all of them at once.
#pragma once

#include "compose/loader/diagnostic.hpp"
#include "compose/model.hpp"

namespace compose {

enum class Format { none, yaml, json };

struct LoadRequest {
  Strings files;  // in their order; empty: looked for in working_dir and its parents
  // Absolute: what relative `files` are relative to, and where a search begins.
  std::string working_dir;
  std::string project_dir;    // --project-directory; "" = the folder of the first file
  std::string project_name;   // -p; "" = COMPOSE_PROJECT_NAME, else `name:`, else the folder's
  Strings profiles;           // beside COMPOSE_PROFILES; "*" = all
  Strings environment_files;  // --env-file; empty: .env of the project's folder, if there
  StringMap environment;      // the caller's
  Strings services;           // only these and what they depend on; their profiles count as enabled
  Format format = Format::none;  // of Loaded::canonical
};

struct Loaded {
  Project project;
  Strings warnings;       // a line each
  std::string canonical;  // what `docker compose config` prints for the same files
};

// Throws ComposeError; a file that cannot be read is one too.
Loaded load_project(const LoadRequest& request);

}  // namespace compose
