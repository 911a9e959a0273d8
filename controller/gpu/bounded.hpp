// A call that may hang in a driver, with a bound. It gets a thread of its own; one that does not
// answer in time is left to itself until the program ends, since nothing can end a thread that the
// kernel holds.
#pragma once

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <thread>

namespace controller::gpu {

// Begins `work` on such a thread. `work` owns all it uses: it may outlive its caller.
template <class Work>
auto beside(Work work) -> std::future<decltype(work())> {
  std::packaged_task<decltype(work())()> task(std::move(work));
  auto answer = task.get_future();
  std::thread(std::move(task)).detach();
  return answer;
}

// What `work` returned or threw, nullopt when it did not end within `seconds`.
template <class Work>
auto within(double seconds, Work work) -> std::optional<decltype(work())> {
  std::future<decltype(work())> answer = beside(std::move(work));
  if (answer.wait_for(std::chrono::duration<double>(seconds)) != std::future_status::ready)
    return std::nullopt;
  return answer.get();
}

}  // namespace controller::gpu
