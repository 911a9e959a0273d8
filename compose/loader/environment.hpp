// What ${...} sees, which files are read, and what the project is called.
#pragma once

#include "compose/loader/interpolate.hpp"
#include "compose/loader/loader.hpp"
#include "compose/loader/node.hpp"
#include "compose/loader/source.hpp"

namespace compose {

struct Surroundings {
  Strings files;              // absolute
  std::string folder;         // of the project, absolute
  Strings environment_files;  // absolute; those that were read
  StringMap environment;      // the caller's over those files'
  std::string home;
};

// Throws ComposeError where there is no file, or one that was named is missing.
Surroundings look_around(const LoadRequest& request, Sources& sources, Findings& findings);

Lookup lookup_in(const StringMap& environment);

// Adds what the files say and `environment` does not yet. Later files win.
void add_env_files(const Strings& files, StringMap& environment, Sources& sources,
                   Findings& findings);

struct NameSources {
  const LoadRequest& request;
  const Surroundings& around;
  std::string in_file;  // `name:`, "" = not said
};
// Throws ComposeError: a name that was given is not as docker compose takes them.
std::string project_name(const NameSources& sources);

// Of an environment variable or a flag: words with commas between them.
Strings comma_list(std::string_view text);

}  // namespace compose
