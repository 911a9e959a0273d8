// Every reader of the engine's answers: whatever it says is a value or an EngineError.
#include <cstdlib>
#include <string>

#include "container/engine_json.hpp"

namespace {

template <class Read>
void tolerate(Read read, const std::string& body) {
  try {
    read(body);
  } catch (const container::EngineError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  namespace json = container::engine_json;
  tolerate(json::created_id, body);
  tolerate(json::info, body);
  tolerate(json::state, body);
  tolerate(json::stats, body);
  tolerate(json::summaries, body);
  tolerate([](const std::string& text) { return json::image(text).identity(); }, body);
  tolerate(json::event, body);
  tolerate(json::network, body);
  tolerate(json::networks, body);
  tolerate(json::volume, body);
  tolerate(json::volumes, body);
  tolerate(json::exec, body);
  tolerate(json::pull_error, body);
  const container::WaitResult wait = json::wait_result(body);
  if (wait.known && wait.exit_code < 0) std::abort();
  if (json::error_text(body).empty()) std::abort();
  return 0;
}
