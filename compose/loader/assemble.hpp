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
  Node assemble(const FileSet& set);

 private:
  // A service that is being extended.
  struct Link {
    std::string file, service;
  };
  using Chain = std::vector<Link>;

  const std::vector<Node>& documents(const std::string& file);
  Node document(const Node& raw, const FileSet& set);
  void interpolate_values(Node& node, const Path& path, const Lookup& lookup);
  void extend_all(Node& document, const std::string& file, const FileSet& set);
  void extend(Node& service, Node& services, const FileSet& set, Chain& chain);
  Node extended_base(const Node& extends, Node& services, const FileSet& set, Chain& chain);
  Node& foreign(const std::string& file, const FileSet& set);
  void include_all(Node& document, const FileSet& set);
  FileSet included(const Node& entry, const FileSet& set);
  void import(Node& document, Node part, const Node& entry);

  Sources& sources_;
  Findings& findings_;
  std::string home_;
  std::map<std::string, std::vector<Node>> read_;
  std::map<std::string, Node> foreign_;  // files that services extend from, by path
  Strings including_;                    // files that are being included, outermost first
};

}  // namespace compose
