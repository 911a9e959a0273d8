#include "controller/run_sync.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace controller {

bool run_until_done(boost::asio::io_context& io, Task<> task,
                    const std::function<bool()>& give_up) {
  struct State {
    bool done = false;
    std::exception_ptr failure;
  };
  auto state = std::make_shared<State>();
  boost::asio::co_spawn(io, std::move(task), [state](std::exception_ptr failure) {
    state->done = true;
    state->failure = std::move(failure);
  });
  io.restart();
  while (!state->done) {
    if (give_up && give_up()) return false;
    if (io.run_one() == 0) io.restart();
  }
  if (state->failure) std::rethrow_exception(state->failure);
  return true;
}

}  // namespace controller
