// One document against the table: unknown keys, wrong types and what is not supported are found,
// and every value is brought into its long form.
#pragma once

#include "compose/loader/fields.hpp"

namespace compose {

// A whole document.
void canonicalise(Node& document, Context& context);

// After documents were merged: values that are still empty, keys that are missing, entries that
// stand twice; `!reset` is carried out.
void complete(Node& project, Findings& findings);

}  // namespace compose
