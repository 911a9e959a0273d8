// {p.KEY}, {p.KEY?--flag}, {vars.NAME}, {run_id} ...: filled in in one pass; what a value brings in
// is not read again. Only known names are placeholders, any other brace is literal, {{x}} gives
// {x}; nothing is filled in after a `$`. A near miss is an error for {p. and {vars., else a
// warning. Fine print: a scalar that is one placeholder keeps its type.
#pragma once

#include <map>

#include "campaign/config/value.hpp"

namespace campaign {

struct Placeholders {
  const Value* parameters = nullptr;  // for {p.KEY}; nullptr: stays as written
  const Value* vars = nullptr;        // for {vars.NAME}; nullptr: stays as written
  // config results metrics run_id experiment campaign cycle attempt gpus exchange. A name that is
  // known but absent here stays as written (at planning time, when runs are not known yet).
  std::map<std::string, std::string> names;
};

struct Expansion {
  std::vector<std::string> warnings;
};

// Throws std::runtime_error("{p.modl}: no such parameter; did you mean `model`?").
std::string expand(std::string_view text, const Placeholders& with, Expansion* report = nullptr);
// An element that is exactly {p.KEY?--flag} gives two elements, or none; anything else gives one.
std::vector<std::string> expand_argv(const std::vector<std::string>& argv, const Placeholders& with,
                                     Expansion* report = nullptr);
// Expands every scalar below `value`; exactly one placeholder keeps the type of what it names.
Value expand_value(const Value& value, const Placeholders& with, Expansion* report = nullptr);

}  // namespace campaign
