#include "container/docker_engine_calls.hpp"

namespace container {

std::string escaped(const std::string& text, const std::string& also_plain) {
  static constexpr char digits[] = "0123456789ABCDEF";
  static const std::string plain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
  std::string result;
  for (const char c : text) {
    if (plain.find(c) != std::string::npos || also_plain.find(c) != std::string::npos) {
      result += c;
      continue;
    }
    result += '%';
    result += digits[static_cast<unsigned char>(c) >> 4];
    result += digits[static_cast<unsigned char>(c) & 15];
  }
  return result;
}

std::string short_id(const std::string& id) { return id.size() == 64 ? id.substr(0, 12) : id; }

EngineCall EngineCalls::get(std::string path, std::string what) const {
  return {
      .what = std::move(what),
      .request = {.method = "GET", .target = std::move(path), .timeout = options_.request_timeout},
      .repeat = EngineCall::Repeat::allowed};
}

EngineCall EngineCalls::post(std::string path, std::string what) const {
  EngineCall call = get(std::move(path), std::move(what));
  call.request.method = "POST";
  call.repeat = EngineCall::Repeat::never;
  return call;
}

EngineCall EngineCalls::change(std::string method, std::string path, std::string what) const {
  return {.what = std::move(what),
          .request = {.method = std::move(method),
                      .target = std::move(path),
                      .timeout = options_.change_timeout},
          .repeat = EngineCall::Repeat::allowed};
}

}  // namespace container
