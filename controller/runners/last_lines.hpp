// What a launcher kept of an output, for messages about how it ended.
#pragma once

#include <filesystem>
#include <string>

namespace controller {

// "; its last lines: ..." of stderr.log in this folder, or where it has none, of stdout.log; "" =
// nothing was said.
std::string last_lines(const std::filesystem::path& folder);

}  // namespace controller
