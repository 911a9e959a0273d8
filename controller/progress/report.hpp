// The words that both displays use.
#pragma once

#include "controller/progress/progress.hpp"

namespace controller {

// "tiny-b4.c02 ok 1.23s", "tiny-b4.c02 attempt 2 failed: exit 3, log in ..."
std::string ended_text(const Progress::Ended& ended, bool color);
// "6/30, 1 failed, about 8m left"
std::string counts_text(const ProgressState& state);
// The block of the live display: header, bar, a line per worker. Not clipped.
std::vector<std::string> live_lines(const ProgressState& state, double now_utc, bool color);

}  // namespace controller
