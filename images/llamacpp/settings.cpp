#include "settings.hpp"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cstdlib>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

namespace payload {
namespace {

using nlohmann::json;

json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;
  if (text == "true" || text == "false") return text == "true";
  long whole = 0;
  double real = 0;
  const char* end = text.data() + text.size();
  if (auto r = std::from_chars(text.data(), end, whole); r.ec == std::errc() && r.ptr == end)
    return whole;
  if (auto r = std::from_chars(text.data(), end, real); r.ec == std::errc() && r.ptr == end)
    return real;
  return text;
}

json to_json(const YAML::Node& node) {
  if (node.IsScalar()) return scalar(node);
  json result = node.IsMap() ? json::object() : node.IsSequence() ? json::array() : json();
  if (node.IsSequence()) {
    for (const auto& item : node) result.push_back(to_json(item));
  } else if (node.IsMap()) {
    for (const auto& entry : node) result[entry.first.Scalar()] = to_json(entry.second);
  }
  return result;
}

json load(const std::string& path) {
  try {
    const YAML::Node root = YAML::LoadFile(path);
    if (!root.IsMap()) throw BadConfig(path + ": expected a map of settings");
    return to_json(root);
  } catch (const YAML::BadFile&) {
    throw BadConfig(path + ": cannot be read (CAMPAIGN_CONFIG names it)");
  } catch (const YAML::Exception& error) {
    throw BadConfig(path + ":" + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
}

// Takes values out of one map, with errors that name the key.
class Reader {
 public:
  explicit Reader(const json& values) : values_(values) {}

  std::string text(const std::string& key) const {
    if (!has(key)) throw BadConfig(key + " is missing");
    if (!values_[key].is_string())
      throw BadConfig(key + " is " + values_[key].dump() + ", expected a string");
    return values_[key];
  }
  std::string text(const std::string& key, const std::string& fallback) const {
    return has(key) ? text(key) : fallback;
  }
  long number(const std::string& key, long least, long fallback) const {
    if (!has(key)) return fallback;
    const json& value = values_[key];
    if (!value.is_number_integer() || value.get<long>() < least || value.get<long>() > most) {
      throw BadConfig(key + " is " + value.dump() + ", expected a whole number from " +
                      std::to_string(least));
    }
    return value;
  }
  int count(const std::string& key, long least, int fallback) const {
    return static_cast<int>(number(key, least, fallback));
  }
  bool has(const std::string& key) const {
    return values_.contains(key) && !values_[key].is_null();
  }
  const json& at(const std::string& key) const { return values_[key]; }

 private:
  static constexpr long most = 1'000'000'000;
  const json& values_;
};

std::string precision_of(const std::string& written) {
  static const std::map<std::string, std::string> names = {
      {"f16", "f16"}, {"fp16", "f16"}, {"float16", "f16"}, {"q8_0", "q8_0"}, {"int8", "q8_0"}};
  const auto found = names.find(written);
  if (found == names.end()) {
    throw BadConfig("fp_precision is \"" + written +
                    "\", this image has f16 (fp16, float16) and q8_0 (int8)");
  }
  return found->second;
}

double seconds(const char* name) {
  const std::string text = environment(name);
  double value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (text.empty()) return 0;
  if (parsed.ec != std::errc() || parsed.ptr != end || value < 0) {
    throw BadConfig(std::string(name) + " is \"" + text + "\", expected seconds");
  }
  return value;
}

void read_warmup(const Reader& config, Settings& settings) {
  if (config.has("warmup")) {
    if (!config.at("warmup").is_object()) throw BadConfig("warmup is not a map");
    const Reader warmup(config.at("warmup"));
    settings.warmup_prompts = warmup.count("max_prompts", 0, settings.warmup_prompts);
    if (warmup.has("enabled")) {
      if (!warmup.at("enabled").is_boolean())
        throw BadConfig("warmup.enabled is neither true nor false");
      if (!warmup.at("enabled").get<bool>()) {
        settings.warmup_prompts = 0;
        return;
      }
    }
  }
  if (!environment("CAMPAIGN_WARMUP_PROMPTS").empty()) {
    settings.warmup_prompts = static_cast<int>(seconds("CAMPAIGN_WARMUP_PROMPTS"));
  }
  settings.warmup_timeout_s = seconds("CAMPAIGN_WARMUP_TIMEOUT");
}

}  // namespace

std::string environment(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : fallback;
}

Settings read_settings() {
  const std::string path = environment("CAMPAIGN_CONFIG");
  if (path.empty()) throw BadConfig("CAMPAIGN_CONFIG is not set: it names the configuration file");
  const json document = load(path);
  const Reader config(document);
  const std::string backend = config.text("backend", "llamacpp");
  if (backend != "llamacpp") throw BadConfig("backend is \"" + backend + "\", this is llamacpp");
  Settings settings;
  settings.config_name = config.text("config_name", "");
  settings.model_name = config.text("model_name");
  settings.precision = precision_of(config.text("fp_precision"));
  settings.batch_size = config.count("batch_size", 1, settings.batch_size);
  settings.max_input_tokens = config.count("max_input_tokens", 1, settings.max_input_tokens);
  settings.max_output_tokens = config.count("max_output_tokens", 1, settings.max_output_tokens);
  settings.num_input_prompts = config.count("num_input_prompts", 1, settings.num_input_prompts);
  settings.concurrency = config.count("concurrency", 1, settings.concurrency);
  settings.random_seed = config.number("random_seed", 0, settings.random_seed);
  settings.threads = config.count("num_threads", 1, settings.threads);
  read_warmup(config, settings);
  settings.document = document.dump();
  return settings;
}

}  // namespace payload
