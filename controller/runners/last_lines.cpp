#include "controller/runners/last_lines.hpp"

#include "campaign/results/results.hpp"

namespace controller {

std::string last_lines(const std::filesystem::path& folder) {
  for (const char* log : {"stderr.log", "stdout.log"}) {
    const std::string tail = campaign::log_tail(folder / log, {.lines = 5, .bytes = 1000});
    if (!tail.empty()) return "; its last lines: " + tail;
  }
  return "";
}

}  // namespace controller
