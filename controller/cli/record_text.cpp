#include "controller/cli/record_text.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace controller::cli {
namespace {

constexpr std::array<std::string_view, 8> envelope = {"v",    "seq",   "t",      "mono_ns",
                                                      "boot", "event", "crc32c", "run"};

bool of_the_envelope(const std::string& key) {
  return std::find(envelope.begin(), envelope.end(), key) != envelope.end();
}

}  // namespace

RecordText record_text(const campaign::Record& record) {
  const auto object = nlohmann::ordered_json::parse(campaign::encode_record(record));
  RecordText text{.run = "", .event = campaign::event_name(record.event), .members = ""};
  if (const auto run = object.find("run"); run != object.end() && run->is_string())
    text.run = run->get<std::string>();
  for (const auto& [key, value] : object.items()) {
    if (of_the_envelope(key) || value.is_null()) continue;
    if (value.is_structured() && value.empty()) continue;
    if (value.is_string() && value.get_ref<const std::string&>().empty()) continue;
    if (!text.members.empty()) text.members += " ";
    text.members +=
        key + "=" + value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  return text;
}

}  // namespace controller::cli
