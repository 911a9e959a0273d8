// What a plain scalar means, as `docker compose` 2.x reads it: YAML 1.2 words (only true and false
// are booleans) with the integers of YAML 1.1 (0755 is octal, 1_000 and 0b11 are numbers).
#pragma once

#include "compose/loader/node.hpp"

namespace compose {

// Numbers get the text that they are printed as: 0x1F is "31", 1.50 is "1.5", 1e3 is "1000".
YamlNode resolved(std::string_view plain, Place place);

// The shortest text that reads back as the same number; an exponent from 1e21 on.
std::string number_text(double value);

}  // namespace compose
