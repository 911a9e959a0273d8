// The one table of what a compose file may say. What reads, merges, checks and prints compose files
// goes by it.
#pragma once

#include <string_view>
#include <vector>

#include "compose/loader/node.hpp"
#include "compose/loader/source.hpp"

namespace compose {

struct Context {
  Findings& findings;
  PathBase base;  // where relative paths of this document begin
};

// Brings a short form into the long one. Says what is wrong and leaves the rest to the form's
// check.
using Shape = void (*)(YamlNode& node, const Path& path, Context& context);

enum class Form {
  anything,
  text,
  integer,  // or text that says one
  number,
  flag,
  bytes,
  duration,
  command,  // null, a line that is split into words, or a list of words
  texts,
  text_or_texts,
  texts_or_numbers,
  pairs,        // a map of scalars, or a list of K=V; what has no value is ""
  environment,  // likewise; what has no value is null and comes from the caller
  options,      // a map of texts and numbers
  section,
  sections,  // a list of maps
  named,     // a map of sections; an empty one may be null
};

enum class Merge {
  deep,  // maps by their keys, lists one behind the other, scalars replaced
  replace,
  unique,     // lists; what is there already is not added again
  by_target,  // lists of maps; the later one with the same target replaces the earlier
  by_path,
  by_port,
  by_subnet,  // likewise, but the two are merged
  logging,    // options of another driver are dropped
};

struct Section;

struct Field {
  std::string_view key;
  Form form = Form::anything;
  const Section& (*section)() = nullptr;
  Merge merge = Merge::deep;
  Shape shape = nullptr;
  // "": supported. Else why not; the key is an error.
  std::string_view refused;
  // "": it has an effect. Else why not; the key is a warning.
  std::string_view idle;
  // false, 0, "" and what is empty are printed too.
  bool kept = false;
};

struct Section {
  std::vector<Field> fields;
  std::vector<std::string_view> required;
  bool extensions = true;  // x-... is allowed
  // How an unknown key is named: "key", of free maps "".
  const Field* find(std::string_view key) const;
};

const Section& project_section();
const Section& service_section();
const Section& network_section();
const Section& volume_section();
const Section& config_section();
const Section& secret_section();
const Section& include_section();
const Section& deploy_section();
const Section& build_section();
const Section& grant_section();

}  // namespace compose
