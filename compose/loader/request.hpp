// What is to be loaded: what a command line and the caller's environment say.
#pragma once

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

}  // namespace compose
