// The canonical form as text.
#pragma once

#include "compose/loader/loader.hpp"
#include "compose/loader/node.hpp"

namespace compose {

// Takes out what is off, 0 or empty and means nothing then, brings keys into the table's order and
// services into that of their names.
void tidy(Node& project);

// A $ is written as $$, so that the text reads back to the same.
std::string json_text(const Node& project);
std::string yaml_text(const Node& project);

// Compact JSON with sorted keys, as it is: what hashes are taken over.
std::string identity_text(const Node& node);

}  // namespace compose
