#include "controller/progress/wait.hpp"

#include "controller/progress/format.hpp"

namespace controller {

std::string text_of(const Wait& wait, double now_utc) {
  if (wait.reason.empty() || !wait.until_utc) return wait.reason;
  const char* how = wait.end == Wait::End::forecast  ? "about "
                    : wait.end == Wait::End::at_most ? "at most "
                                                     : "";
  return wait.reason + ", " + how + text::span(*wait.until_utc - now_utc) + " left";
}

}  // namespace controller
