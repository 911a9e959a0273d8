// The files of a project read, filled in, and laid over one another to one tree in its long form:
// extends and include are carried out, nothing is checked across services yet.
#pragma once

#include <map>
#include <vector>

#include "compose/loader/environment.hpp"
#include "compose/loader/fields.hpp"

namespace compose {

// Files that make a project, or a part of one that is included.
struct FileSet {
  Strings files;
  std::string folder;  // where relative paths begin
  StringMap environment;
};

class Assembler {
 public:
  Assembler(Sources& sources, Findings& findings, std::string home)
      : sources_(sources), findings_(findings), home_(std::move(home)) {}

  // `name:` of the last file that has one, or "".
  std::string name_in(const FileSet& set);
  YamlNode assemble(const FileSet& set);

 private:
  // A service that is being extended.
  struct Link {
    std::string file, service;
  };
  using Chain = std::vector<Link>;

  const std::vector<YamlNode>& documents(const std::string& file);
  YamlNode document(const YamlNode& raw, const FileSet& set);
  void interpolate_values(YamlNode& node, const Path& path, const Lookup& lookup);
  void extend_all(YamlNode& document, const std::string& file, const FileSet& set);
  void extend(YamlNode& service, YamlNode& services, const FileSet& set, Chain& chain);
  YamlNode extended_base(const YamlNode& extends, YamlNode& services, const FileSet& set,
                         Chain& chain);
  YamlNode& foreign(const std::string& file, const FileSet& set);
  void include_all(YamlNode& document, const FileSet& set);
  FileSet included(const YamlNode& entry, const FileSet& set);
  void import(YamlNode& document, YamlNode part, const YamlNode& entry);

  Sources& sources_;
  Findings& findings_;
  std::string home_;
  std::map<std::string, std::vector<YamlNode>> read_;
  std::map<std::string, YamlNode> foreign_;  // files that services extend from, by path
  Strings including_;                        // files that are being included, outermost first
};

}  // namespace compose
