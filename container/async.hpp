// The house's coroutine vocabulary. Everything here runs on one io_context, on one thread.
//
// After a cancellation the next co_await throws, so cleanup that awaits must first say
// `co_await boost::asio::this_coro::reset_cancellation_state();` in the same coroutine (a helper
// that is awaited for it would throw itself).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <utility>

namespace container {

template <class T = void>
using Task = boost::asio::awaitable<T>;

// Seconds; zero or less returns after one turn of the loop.
Task<> sleep_for(double seconds);

// True: the task ended before `limit` did, which is cancelled. False: it was cancelled, and has
// ended. What either throws, or a cancellation from outside, is thrown on at once.
Task<bool> finished_before(Task<> task, Task<> limit);

// True: the task ended in time. False: it was cancelled after `seconds` and has ended. What it
// throws, or a cancellation from outside, is thrown on at once.
Task<bool> finished_within(Task<> task, double seconds);

// The same for a task with a value; nullopt = not in time.
template <class T>
Task<std::optional<T>> with_timeout(Task<T> task, double seconds) {
  std::optional<T> value;
  auto keep = [](Task<T> inner, std::optional<T>& out) -> Task<> {
    out.emplace(co_await std::move(inner));
  };
  const bool in_time = co_await finished_within(keep(std::move(task), value), seconds);
  if (!in_time) value.reset();
  co_return value;
}

}  // namespace container
