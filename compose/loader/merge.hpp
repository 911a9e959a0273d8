// One document laid over another, both in their long form: maps by their keys, lists one behind the
// other without what stands there already, scalars replaced; an empty value keeps what is below it.
#pragma once

#include "compose/loader/fields.hpp"

namespace compose {

void merge(YamlNode& base, YamlNode over, const Section& what);

// Drops entries of a list that the table wants only once; the later one takes the earlier's place.
void make_unique(YamlNode& list, Merge merge);

}  // namespace compose
