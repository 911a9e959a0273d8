// What a worker, or the whole session, waits for just now, as displays and `status` show it. Plain
// values.
#pragma once

#include <optional>
#include <string>

namespace controller {

struct Wait {
  std::string reason;  // "gap: GPU 0 at 61 C", "retry of l9.c02"; "" = it waits for nothing
  std::optional<double> until_utc;                               // none = nobody can tell
  enum class End { known, forecast, at_most } end = End::known;  // how `until_utc` is meant
};

// "gap: GPU 0 at 61 C, about 40 s left"; "" for nothing.
std::string text_of(const Wait& wait, double now_utc);

}  // namespace controller
