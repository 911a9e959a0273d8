// .env and env_file: lines of NAME=value. `export ` in front is allowed; a value in '...' is taken
// as it is, one in "..." may go over lines and has \n, \t, \", \$; one without quotes ends at " #".
// Values but those in '...' may hold ${...}. A NAME alone takes the caller's value.
#pragma once

#include <map>
#include <string>

#include "compose/loader/interpolate.hpp"
#include "compose/loader/node.hpp"
#include "compose/loader/source.hpp"

namespace compose {

struct DotenvRequest {
  const Source& source;
  // What a value may refer to beside the lines above it, and what a NAME alone takes.
  const Lookup& lookup;
  bool raw = false;  // env_file's `format: raw`: neither quotes nor variables mean anything
};

// Later lines win. What is wrong goes to `findings`.
std::map<std::string, std::string> read_dotenv(const DotenvRequest& request, Findings& findings);

}  // namespace compose
