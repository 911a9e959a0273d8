// Which variables of an environment are secrets, by their names.
#pragma once

#include <string>
#include <string_view>

namespace campaign {

// By a whole word of the name, upper or lower case: HF_TOKEN and api-key are secrets,
// TOKENIZERS_PARALLELISM and MAX_TOKENS are none. An empty value or a number is none either.
bool is_secret(std::string_view name, const std::string& value);

}  // namespace campaign
