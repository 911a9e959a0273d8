#include "controller/wake.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace controller {

namespace asio = boost::asio;

struct Wake::Waiter {
  explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
  bool woken = false;
};

void Wake::notify() {
  for (Waiter* waiter : waiters_) {
    waiter->woken = true;
    waiter->timer.cancel();
  }
}

Task<> Wake::wait(double seconds) {
  constexpr double longest = 3600;
  Waiter waiter(co_await asio::this_coro::executor);
  waiter.timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(std::clamp(seconds, 0.0, longest))));
  waiters_.push_back(&waiter);
  co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
  waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &waiter));
}

}  // namespace controller
