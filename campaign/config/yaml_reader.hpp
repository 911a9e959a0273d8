// YAML text to a Value: yaml-cpp scans, the rest is ours, because yaml-cpp 0.7 neither resolves
// merge keys nor notices duplicate keys, and its as<T>() reads quoted scalars as numbers. Bounds:
// 64 levels, 512 bytes a key, and aliases may add at most 64 MiB to what the text says.
#pragma once

#include "campaign/config/loader.hpp"

namespace campaign {

constexpr std::size_t largest_file = std::size_t{8} << 20;

struct YamlText {
  std::string text;
  std::string name;  // for origins, as the user wrote it
};

struct YamlDocument {
  Value value;
  std::vector<Diagnostic> diagnostics;
  bool whole = true;  // false: reading ended early, the last diagnostic says where
};

// One document. An empty text gives null.
YamlDocument read_yaml(const YamlText& source);

// A text file of at most `largest_file` bytes. Throws ConfigError: missing, unreadable, a folder,
// too large.
YamlText read_text_file(const std::string& path);

}  // namespace campaign
