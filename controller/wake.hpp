// Wakes coroutines of one thread. Check a condition, then wait: nothing can happen in between, so
// no wake-up is lost.
#pragma once

#include <vector>

#include "container/async.hpp"

namespace controller {

template <class T = void>
using Task = container::Task<T>;

class Wake {
 public:
  void notify();                // wakes all who wait now
  Task<> wait(double seconds);  // until notify() or so many seconds, whichever is first; infinity
                                // is allowed

 private:
  struct Waiter;
  std::vector<Waiter*> waiters_;
};

}  // namespace controller
