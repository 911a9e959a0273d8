// Names of experiments: safe for files and containers, [a-z0-9._-], at most 60, beginning with a
// letter or digit. The rule for made names is in docs/planning.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "campaign/plan/expand.hpp"

namespace campaign {

inline constexpr std::size_t longest_name = 60;

// Lower-cased, runs of other characters as one '-', cut to longest_name; may be empty. It equals
// `text` where nothing had to be changed.
std::string safe_name(std::string_view text);

// `base` with '-' and the first `digits` digits of the hash, within longest_name.
std::string name_with_digits(const std::string& base, const std::string& hash, std::size_t digits);

// One short form per key, in order: "tp" stays, "batch_size" is "bs", "concurrency" is "c", longer
// where two would be the same.
std::vector<std::string> short_keys(const std::vector<std::string>& keys);

// Names every draft (its hash is known). Two equal names that a user gave are a problem.
void name_experiments(const Campaign& campaign, std::vector<Draft>& drafts, Notices& notices);

}  // namespace campaign
