#include "container/async.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>

namespace container {

namespace {

namespace net = boost::asio;

Task<> guard(Task<> task, std::exception_ptr& failure, bool& finished) {
  try {
    co_await std::move(task);
    finished = true;
  } catch (...) {
    failure = std::current_exception();
  }
}

}  // namespace

Task<> sleep_for(double seconds) {
  net::steady_timer timer(co_await net::this_coro::executor);
  timer.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds > 0 ? seconds : 0)));
  co_await timer.async_wait(net::use_awaitable);
}

Task<bool> finished_before(Task<> task, Task<> limit) {
  using net::experimental::awaitable_operators::operator||;
  std::exception_ptr failure, failure_of_limit;
  bool finished = false, over = false;
  co_await (guard(std::move(task), failure, finished) ||
            guard(std::move(limit), failure_of_limit, over));
  if (finished) co_return true;
  if (!over) std::rethrow_exception(failure ? failure : failure_of_limit);
  co_return false;
}

Task<bool> finished_within(Task<> task, double seconds) {
  co_return co_await finished_before(std::move(task), sleep_for(seconds));
}

}  // namespace container
