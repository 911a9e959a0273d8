// The canonical form as text.
#pragma once

#include "compose/loader/node.hpp"

namespace compose {

// Brings keys into the table's order and services into that of their names; sizes become texts.
void tidy(YamlNode& project);

// A $ is written as $$, so that the text reads back to the same.
std::string json_text(const YamlNode& project);
std::string yaml_text(const YamlNode& project);

// Compact JSON with sorted keys, as it is: what hashes are taken over.
std::string identity_text(const YamlNode& node);

}  // namespace compose
