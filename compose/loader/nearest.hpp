// "did you mean": the known word that a mistyped one is nearest to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace compose {

// "; did you mean `image`?", or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace compose
