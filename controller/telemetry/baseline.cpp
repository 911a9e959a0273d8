#include "controller/telemetry/baseline.hpp"

#include <algorithm>

#include "campaign/config/value.hpp"
#include "campaign/state/files.hpp"
#include "campaign/state/json_text.hpp"

namespace controller::telemetry {

namespace json = campaign::json_text;

namespace {

bool is_number(const campaign::Value* value) {
  using Kind = campaign::Value::Kind;
  return value && (value->kind() == Kind::real || value->kind() == Kind::integer);
}

}  // namespace

BaselineCache::BaselineCache(std::filesystem::path file, std::string host,
                             const campaign::Clock& clock)
    : file_(std::move(file)), host_(std::move(host)), clock_(clock) {
  std::error_code error;
  if (std::filesystem::exists(file_, error)) read();
}

void BaselineCache::read() {
  try {
    const campaign::Value stored = campaign::from_json(campaign::read_file(file_));
    const campaign::Value *host = stored.find("host"), *boot = stored.find("boot"),
                          *domains = stored.find("domains");
    if (!host || !boot || !domains || !domains->is_map()) return;
    if (host->written() != host_ || boot->written() != clock_.boot_id()) return;
    for (const auto& [name, domain] : domains->members()) {
      const campaign::Value *watts = domain.find("watts"), *utc = domain.find("utc");
      if (is_number(watts) && is_number(utc))
        known_[name] = {.watts = watts->as_real(), .utc = utc->as_real()};
    }
  } catch (const std::exception&) {
    // As good as none: it is measured anew.
  }
}

bool BaselineCache::holds(const std::vector<std::string>& domains, double ttl_s) const {
  const double now = clock_.utc();
  return std::ranges::all_of(domains, [&](const std::string& domain) {
    const auto found = known_.find(domain);
    return found != known_.end() && now >= found->second.utc && now - found->second.utc <= ttl_s;
  });
}

void BaselineCache::keep(const std::map<std::string, double>& watts) {
  for (const auto& [domain, measured] : watts)
    known_[domain] = {.watts = measured, .utc = clock_.utc(), .used = false};
  campaign::write_atomically(file_, text());
}

std::string BaselineCache::text() const {
  std::string text = R"({"v":2,"host":)";
  json::append_string(text, host_);
  text += R"(,"boot":)";
  json::append_string(text, clock_.boot_id());
  text += R"(,"domains":{)";
  const char* separator = "";
  for (const auto& [name, domain] : known_) {
    text += separator;
    json::append_string(text, name);
    text += R"(:{"watts":)";
    json::append_number(text, domain.watts);
    text += R"(,"utc":)";
    json::append_number(text, domain.utc);
    text += '}';
    separator = ",";
  }
  return text + "}}\n";
}

campaign::EnergyBaseline BaselineCache::take(const std::vector<std::string>& domains) {
  campaign::EnergyBaseline taken{.watts = {}, .utc = clock_.utc(), .method = "cached"};
  for (const std::string& name : domains) {
    Known& domain = known_.at(name);
    taken.watts[name] = domain.watts;
    taken.utc = std::min(taken.utc, domain.utc);
    if (!std::exchange(domain.used, true)) taken.method = "fresh";
  }
  taken.age_s = std::max(0.0, clock_.utc() - taken.utc);
  return taken;
}

}  // namespace controller::telemetry
