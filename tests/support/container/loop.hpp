// Runs coroutines of the container folder in tests.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <stdexcept>

#include "container/async.hpp"

namespace container::test {

class Loop {
 public:
  boost::asio::io_context& io() { return io_; }

  // The task's value, or what it throws; std::runtime_error if it has not ended after `bound`
  // seconds.
  template <class T>
  T run(Task<T> task, double bound = 60) {
    std::optional<T> value;
    run(keep(std::move(task), value), bound);
    return std::move(*value);
  }

  void run(Task<> task, double bound = 60) {
    bool done = false;
    std::exception_ptr failure;
    boost::asio::co_spawn(io_, std::move(task), [&](std::exception_ptr thrown) {
      done = true;
      failure = thrown;
    });
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(bound));
    io_.restart();
    while (!done) {
      if (io_.run_one_until(end) == 0)
        throw std::runtime_error("the coroutine did not end within its bound");
      ++turns_;
    }
    if (failure) std::rethrow_exception(failure);
  }

  // Handlers run so far: a loop that spins shows here.
  std::size_t turns() const { return turns_; }

 private:
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& value) {
    value.emplace(co_await std::move(task));
  }

  boost::asio::io_context io_{1};
  std::size_t turns_ = 0;
};

}  // namespace container::test
