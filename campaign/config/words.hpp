// A command that was written as one string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace campaign {

// Splits as a POSIX shell splits words: blanks, '...', "..." (where a backslash quotes " \ $ ` and
// newline), and backslashes. Nothing is expanded; operators such as && are words. Throws
// std::runtime_error on an open quote.
std::vector<std::string> split_words(std::string_view text);

// The first word of `words` that a shell would take for an operator (&&, |, ;, >, ...), or "".
std::string shell_operator(const std::vector<std::string>& words);

}  // namespace campaign
