// How often a thread of the test program has allocated memory by `new`. Sanitizers have allocation
// functions of their own: there nothing is counted.
#pragma once

#include <cstddef>

namespace controller::testing {

extern const bool allocations_are_counted;
std::size_t allocations_of_this_thread();

}  // namespace controller::testing
