// Runs one task to its end on an io_context, with everything else that lives there. For the
// controller's own thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "controller/wake.hpp"

namespace boost::asio {
class io_context;
}

namespace controller {

// Starts `task`; handles events until it has ended, or until `give_up` says so (then false).
// Rethrows what it threw.
bool run_until_done(boost::asio::io_context& io, Task<> task, const std::function<bool()>& give_up);

// The value of a task, or nullopt when `give_up` said so.
template <class T>
std::optional<T> run_sync(boost::asio::io_context& io, Task<T> task,
                          const std::function<bool()>& give_up) {
  auto value = std::make_shared<std::optional<T>>();
  const auto keep = [](Task<T> inner, std::shared_ptr<std::optional<T>> slot) -> Task<> {
    slot->emplace(co_await std::move(inner));
  };
  if (!run_until_done(io, keep(std::move(task), value), give_up)) return std::nullopt;
  return std::move(*value);
}

}  // namespace controller
