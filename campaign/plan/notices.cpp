#include "campaign/plan/notices.hpp"

namespace campaign {

void Notices::problem(const Origin& origin, const std::string& key, const std::string& message) {
  if (problems_.size() < 50 && seen_.insert(key + '\n' + message).second)
    problems_.push_back({.origin = origin, .key = key, .message = message});
}

void Notices::warning(const std::string& text) {
  if (seen_.insert(text).second) warnings_.push_back(text);
}

void Notices::raise() const {
  if (!problems_.empty()) throw ConfigError(problems_);
}

Origin place(const Campaign& campaign, const std::string& key) {
  const Value* value = campaign.document.is_map() ? campaign.document.at_path(key) : nullptr;
  if (value != nullptr && value->origin().line > 0) return value->origin();
  return {.file = campaign.file};
}

}  // namespace campaign
