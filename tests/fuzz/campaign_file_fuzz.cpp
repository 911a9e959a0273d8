// The campaign loader: every text is a campaign or a list of errors, and what was read survives
// being written.
#include <cstdlib>
#include <string>

#include "campaign/config/loader.hpp"
#include "campaign/config/placeholders.hpp"
#include "campaign/config/yaml_reader.hpp"

namespace {

std::optional<std::string> no_variables(const std::string&) { return std::nullopt; }

void load(const campaign::Value& document) {
  try {
    const campaign::Campaign loaded = campaign::load_campaign(
        {.path = "/nowhere/campaign.yaml", .environment = no_variables, .document = document});
    if (!(campaign::decode_campaign(loaded.document, "/nowhere/campaign.yaml") == loaded))
      std::abort();
  } catch (const campaign::ConfigError& error) {
    if (error.diagnostics().empty()) std::abort();
  }
}

template <class Read>
void tolerate(Read read) {
  try {
    read();
  } catch (const std::runtime_error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto document = campaign::read_yaml({text, "campaign.yaml"});
  if (document.whole && document.diagnostics.empty()) {
    if (!(campaign::read_yaml({campaign::to_yaml(document.value), "again.yaml"}).value ==
          document.value))
      std::abort();
    if (!(campaign::from_json(campaign::to_json(document.value)) == document.value)) std::abort();
  }
  if (document.whole && document.value.is_map()) load(document.value);
  tolerate([&] { campaign::expand(text, {}); });
  tolerate([&] { campaign::interpolate(text, no_variables); });
  return 0;
}
