#include "tests/support/controller/allocations.hpp"

#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

namespace {

thread_local std::size_t allocations = 0;

}  // namespace

#ifndef SANITIZED
// The whole test program uses it.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace controller::testing {

#ifdef SANITIZED
const bool allocations_are_counted = false;
#else
const bool allocations_are_counted = true;
#endif
std::size_t allocations_of_this_thread() { return allocations; }

}  // namespace controller::testing
