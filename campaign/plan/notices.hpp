// What planning finds wrong or remarkable in a campaign: each once, however many experiments share
// it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "campaign/config/loader.hpp"

namespace campaign {

class Notices {
 public:
  void problem(const Origin& origin, const std::string& key, const std::string& message);
  void warning(const std::string& text);
  bool any() const { return !problems_.empty(); }  // a problem
  void raise() const;                              // throws ConfigError when there is any problem
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  std::vector<Diagnostic> problems_;  // at most 50
  std::vector<std::string> warnings_;
  std::set<std::string> seen_;
};

// Where a key of the campaign file stands; the file alone where it cannot be told.
Origin place(const Campaign& campaign, const std::string& key);

}  // namespace campaign
