// Members of a map in the types of the model. What is not there leaves the target as it is.
#pragma once

#include <optional>

#include "compose/loader/node.hpp"
#include "compose/model.hpp"

namespace compose {

void read(const YamlNode& map, std::string_view key, std::string& into);
void read(const YamlNode& map, std::string_view key, bool& into);
void read(const YamlNode& map, std::string_view key, int& into);
void read(const YamlNode& map, std::string_view key, std::optional<bool>& into);
void read(const YamlNode& map, std::string_view key, std::optional<int>& into);
void read(const YamlNode& map, std::string_view key, std::optional<std::uint32_t>& into);
void read(const YamlNode& map, std::string_view key, std::optional<std::int64_t>& into);
void read(const YamlNode& map, std::string_view key, std::optional<double>& into);
void read(const YamlNode& map, std::string_view key, Strings& into);
void read(const YamlNode& map, std::string_view key, StringMap& into);  // without what is null

// A member, or an empty node.
const YamlNode& member(const YamlNode& map, std::string_view key);
std::optional<std::int64_t> nanoseconds(const YamlNode& map, std::string_view key);
int as_int(std::int64_t value);  // held within the bounds of int

}  // namespace compose
