// Reading fields of the engine's answers: each may be missing, null or of another type, and is then
// empty. For the files of engine_json alone.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace container {
struct NetworkAttachment;
}

namespace container::engine_json {

using nlohmann::json;

json parse(const std::string& body);  // EngineError (0) for what is no JSON
const json& at(const json& object, const char* key);
std::string text(const json& object, const char* key);
std::int64_t integer(const json& object, const char* key);
bool flag(const json& object, const char* key);
std::vector<std::string> texts(const json& object, const char* key);
std::map<std::string, std::string> text_map(const json& object, const char* key);
std::string without_slash(std::string name);

// EngineError (400) for bytes that are not UTF-8; `what` names the value.
std::string dump(const json& value, const char* what);

// How a container is in a network: one entry of EndpointsConfig.
json endpoint(const NetworkAttachment& attachment);

}  // namespace container::engine_json
