// Which variables of an environment are secrets, by their names.
#pragma once

#include <string>
#include <string_view>

namespace campaign {

// By a whole word of the name, upper or lower case, or where it speaks of a password or a secret:
// HF_TOKEN, api-key, accessKey and PGPASSWORD are secrets, TOKENIZERS_PARALLELISM and MAX_TOKENS are
// none. An empty value or a number is none either.
bool is_secret(std::string_view name, const std::string& value);

}  // namespace campaign
