// YAML text to Nodes: yaml-cpp scans, the rest is ours, because yaml-cpp 0.7 neither resolves merge
// keys nor notices duplicate keys. Bounds: 64 levels, 500 bytes a key (yaml-cpp finds no longer
// ones), and aliases may add at most 64 MiB to what the text says.
#pragma once

#include <vector>

#include "compose/loader/node.hpp"
#include "compose/loader/source.hpp"

namespace compose {

// Every document of the text. What is wrong goes to `findings`; documents before it are kept.
std::vector<YamlNode> read_yaml(const Source& source, Findings& findings);

}  // namespace compose
