#pragma once

namespace container::launcher {

// A main process for a container that is only there so that others can run in it: waits, reaps what
// is left to it, and ends with 0 at the first signal that ends a process, after it has sent TERM to
// those that it reaps.
int hold();

}  // namespace container::launcher
