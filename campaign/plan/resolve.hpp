// Layers of parameters, lowest first, become one resolved configuration with the provenance of
// every leaf. A leaf is a scalar, a list or an empty map. Placeholders stand in every layer but
// `file`: a config file is the user's own document and its braces are its own.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "campaign/plan/notices.hpp"
#include "campaign/plan/plan.hpp"

namespace campaign {

enum class Layer { file, set, per_backend, axis, experiment };

class Layers {
 public:
  // Every member of the map `layer` is a dotted key; maps merge deeply, anything else is replaced.
  void apply(const Value& layer, Layer source);
  void put(const std::string& key, const Value& value, Layer source);
  void remove(std::string_view key);  // of the top level

  // Fills {p.KEY} and {vars.NAME}; a circle or an unknown name is a problem at its place.
  void fill_in(const Value& vars, Notices& notices);
  std::vector<Provenance> provenance() const;

  const Value& config() const { return config_; }
  Value take() { return std::move(config_); }

 private:
  Layer source_of(std::string path) const;

  Value config_ = Value::map({});
  std::unordered_map<std::string, Layer>
      sources_;  // by leaf; entries of leaves that are gone may stay
};

// "dotted.key" -> leaf, in the order of the document.
std::vector<std::pair<std::string, const Value*>> leaves(const Value& map);
// How a value is shown: scalars as written, anything else as canonical JSON.
std::string shown(const Value& value);

}  // namespace campaign
