#include "controller/runners/engine_away.hpp"

namespace controller {

Task<> away_or(Task<> verb) {
  try {
    co_await std::move(verb);
  } catch (const container::EngineError& error) {
    if (error.unreachable()) throw EngineAway(error.what());
    throw;
  }
}

Task<bool> away_or(Task<bool> verb) {
  try {
    co_return co_await std::move(verb);
  } catch (const container::EngineError& error) {
    if (!error.unreachable()) throw;
    throw EngineAway(error.what());
  }
}

}  // namespace controller
