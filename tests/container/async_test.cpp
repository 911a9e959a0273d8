#include "container/async.hpp"

#include <gtest/gtest.h>

#include <boost/asio/this_coro.hpp>

#include "tests/support/container/loop.hpp"

namespace container::test {
namespace {

Task<int> seven_after(double seconds) {
  co_await sleep_for(seconds);
  co_return 7;
}

Task<> fail() {
  co_await sleep_for(0);
  throw std::logic_error("broken");
}

TEST(Async, AValueInTimeIsGiven) {
  Loop loop;
  EXPECT_EQ(loop.run(with_timeout(seven_after(0), 30)), 7);
}

TEST(Async, ALateTaskIsCancelledAndHasEnded) {
  Loop loop;
  bool unwound = false;
  const auto late = [](bool& ended) -> Task<> {
    struct Mark {
      bool& flag;
      ~Mark() { flag = true; }
    } mark{ended};
    co_await sleep_for(3600);
  };
  EXPECT_FALSE(loop.run(finished_within(late(unwound), 0.01)));
  EXPECT_TRUE(unwound);
  EXPECT_FALSE(loop.run(with_timeout(seven_after(3600), 0.01)).has_value());
}

TEST(Async, AnExceptionComesAtOnce) {
  Loop loop;
  EXPECT_THROW(loop.run(finished_within(fail(), 3600), 20), std::logic_error);
}

TEST(Async, TheCallerMayAwaitAfterItsTaskWasLate) {
  Loop loop;
  const auto again = []() -> Task<int> {
    const auto first = co_await with_timeout(seven_after(3600), 0.01);
    co_return first.value_or(0) + co_await seven_after(0);
  };
  EXPECT_EQ(loop.run(again()), 7);
}

TEST(Async, ACancelledTaskCleansUpAfterItResetsItsCancellation) {
  Loop loop;
  bool cleaned = false;
  const auto task = [](bool& done) -> Task<> {
    try {
      co_await sleep_for(3600);
    } catch (const boost::system::system_error&) {
    }
    co_await boost::asio::this_coro::reset_cancellation_state();
    co_await sleep_for(0.001);
    done = true;
  };
  loop.run(finished_within(task(cleaned), 0.01));
  EXPECT_TRUE(cleaned);
}

TEST(Async, CancellationPassesThroughNestedTimeouts) {
  Loop loop;
  EXPECT_FALSE(loop.run(with_timeout(with_timeout(seven_after(3600), 3600), 0.01), 20).has_value());
}

}  // namespace
}  // namespace container::test
