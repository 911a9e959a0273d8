// Values with a grammar of their own that keys of several sections share.
#pragma once

#include <map>
#include <string>

#include "campaign/config/decoder.hpp"

namespace campaign {

// A map of names to texts; ${VAR} stays as written. A secret in plain text is an error.
void decode_env(Decoder& decoder, Value& value, std::map<std::string, std::string>& into);

// Why a text is no POSIX extended regular expression, "" when it is one.
std::string pattern_problem(const std::string& text);

// One of ephemeral and persistent, or a list of both; nullopt after a complaint.
std::optional<std::vector<Strategy>> decode_strategies(Decoder& decoder, const Field& field,
                                                       const Value& value);
Field strategy_field(Field::Store store);

}  // namespace campaign
