// ${NAME} in compose files. $NAME and ${NAME} take a variable, ${NAME:-text} and ${NAME-text} have
// a default, ${NAME:+text} and ${NAME+text} give the text where it is set, ${NAME:?text} and
// ${NAME?text} refuse to go on without it, $$ is a $. With the colon an empty variable counts as
// unset. The text may hold variables itself and is looked at only if it is used. Any other $ stays.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace compose {

using Lookup = std::function<std::optional<std::string>(std::string_view)>;

// Variables without a value and without a default become "" and are added to `unset`. Throws
// std::runtime_error that says which variable is required, or what is no template.
std::string interpolate(std::string_view text, const Lookup& lookup,
                        std::vector<std::string>& unset);

}  // namespace compose
