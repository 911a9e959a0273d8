// One document against the table: unknown keys, wrong types and what is not supported are found,
// and every value is brought into its long form.
#pragma once

#include "compose/loader/fields.hpp"

namespace compose {

// A whole document.
void canonicalise(YamlNode& document, Context& context);

// After documents were merged: values that are still empty, keys that are missing, entries that
// stand twice; `!reset` is carried out. What is off, 0 or empty and means nothing then is taken
// out.
void complete(YamlNode& project, Findings& findings);

}  // namespace compose
