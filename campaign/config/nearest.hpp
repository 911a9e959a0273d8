// "did you mean": the known name that is closest to a misspelt one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace campaign {

// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost one
// each.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The closest of `known` within a third of the length (at least 1, at most 3), or "".
std::string nearest(std::string_view name, const std::vector<std::string>& known);

// "; did you mean `cycles`?", or "" where nothing is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace campaign
