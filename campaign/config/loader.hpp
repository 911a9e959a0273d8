// From a campaign file to a Campaign. Strict: every unknown key, wrong type, value out of range,
// duplicate key or name is reported with file:line:col, all of them at once.
#pragma once

#include <functional>
#include <stdexcept>

#include "campaign/config/campaign.hpp"

namespace campaign {

struct Diagnostic {
  Origin origin;
  std::string key;      // dotted, "" for the whole file
  std::string message;  // what was expected, and what to do
  std::string text()
      const;  // "campaign.yaml:3:7: execution.cycle: unknown key; did you mean `cycles`?"
};

// Thrown with every diagnostic of the file; what() is their texts, a line each.
class ConfigError : public std::runtime_error {
 public:
  explicit ConfigError(std::vector<Diagnostic> diagnostics);
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

using Environment = std::function<std::optional<std::string>(const std::string&)>;
Environment process_environment();

struct LoadRequest {
  std::string path;
  std::vector<std::string>
      sets;  // "dotted.key=value", values as YAML; over everything that the file says
  Environment environment;  // for ${VAR}
  // Used instead of reading `path` when not null (campaignctl run makes one). Taken as it is:
  // ${VAR} stays as written.
  Value document;
};

// Throws ConfigError; a file that cannot be read is one too.
Campaign load_campaign(const LoadRequest& request);

// Decodes a document that load_campaign made (a manifest's), with `file` as the campaign's own
// path.
Campaign decode_campaign(const Value& document, const std::string& file);

// Reads one experiment config document (a map). Throws ConfigError.
Value load_document(const std::string& path, const Environment& environment);

// JSON Schema 2020-12 of the campaign file, from the same table.
std::string campaign_schema();
// The reference page (Markdown) of every key, from the same table.
std::string campaign_reference();

// Fills ${VAR}, ${VAR:-default}, ${VAR:?message}, $$. Throws std::runtime_error that names what is
// missing.
std::string interpolate(std::string_view text, const Environment& environment);

}  // namespace campaign
