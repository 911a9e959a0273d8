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
                          *watts = stored.find("watts"), *utc = stored.find("utc");
    if (!host || !boot || !is_number(watts) || !is_number(utc)) return;
    if (host->written() != host_ || boot->written() != clock_.boot_id()) return;
    known_ = {.watts = watts->as_real(), .utc = utc->as_real(), .method = "cached"};
  } catch (const std::exception&) {
    // As good as none: it is measured anew.
  }
}

bool BaselineCache::holds(double ttl_s) const {
  return known_ && clock_.utc() >= known_->utc && clock_.utc() - known_->utc <= ttl_s;
}

void BaselineCache::keep(double watts) {
  known_ = {.watts = watts, .utc = clock_.utc(), .method = "fresh"};
  std::string text = R"({"v":1,"host":)";
  json::append_string(text, host_);
  text += R"(,"boot":)";
  json::append_string(text, clock_.boot_id());
  text += R"(,"watts":)";
  json::append_number(text, watts);
  text += R"(,"utc":)";
  json::append_number(text, known_->utc);
  campaign::write_atomically(file_, text + "}\n");
}

std::optional<campaign::EnergyBaseline> BaselineCache::take() {
  if (!known_) return std::nullopt;
  campaign::EnergyBaseline taken = *known_;
  taken.age_s = std::max(0.0, clock_.utc() - taken.utc);
  known_->method = "cached";
  return taken;
}

}  // namespace controller::telemetry
