#include "compose/loader/assemble.hpp"

#include <algorithm>
#include <stdexcept>

#include "compose/loader/canonical.hpp"
#include "compose/loader/merge.hpp"
#include "compose/loader/yaml_reader.hpp"

namespace compose {
namespace {

constexpr std::size_t longest_chain = 100;

const char* const shared_kinds[] = {"services", "networks", "volumes", "secrets", "configs"};

}  // namespace

const std::vector<Node>& Assembler::documents(const std::string& file) {
  const auto known = read_.find(file);
  if (known != read_.end()) return known->second;
  const Source source = sources_.read(file);
  std::vector<Node> read = read_yaml(source, findings_);
  std::erase_if(read, [](const Node& node) { return node.is_null(); });
  if (read.empty() && findings_.clean())
    findings_.error({source.name}, "", "is empty; a compose file has `services:`");
  return read_.emplace(file, std::move(read)).first->second;
}

std::string Assembler::name_in(const FileSet& set) {
  std::string name;
  std::vector<std::string> unset;
  for (const std::string& file : set.files) {
    for (const Node& document : documents(file)) {
      const Node* written = document.find("name");
      if (written == nullptr || !written->is_text()) continue;
      try {
        name = interpolate(written->text, lookup_in(set.environment), unset);
      } catch (const std::runtime_error& error) {
        findings_.error(written->place, "name", error.what());
      }
    }
  }
  return name;
}

void Assembler::interpolate_values(Node& node, const Path& path, const Lookup& lookup) {
  if (node.is_text() && node.text.find('$') != node.text.npos) {
    std::vector<std::string> unset;
    try {
      node.text = interpolate(node.text, lookup, unset);
    } catch (const std::runtime_error& error) {
      findings_.error(node.place, path, error.what());
    }
    for (const std::string& name : unset)
      findings_.warn("the variable " + name + " is not set, \"\" is taken");
  }
  for (std::size_t i = 0; i < node.items.size(); ++i)
    interpolate_values(node.items[i], Path{&path, {}, static_cast<int>(i)}, lookup);
  for (Member& member : node.members)
    interpolate_values(member.value, Path{&path, member.key}, lookup);
}

Node Assembler::document(const Node& raw, const FileSet& set) {
  Node document = raw;
  if (!document.is_map()) {
    findings_.error(document.place, "", "expected a map of keys, not " + spoken(document));
    return Node::of_map(document.place);
  }
  interpolate_values(document, Path{}, lookup_in(set.environment));
  Context context{findings_, {set.folder, home_}};
  canonicalise(document, context);
  return document;
}

Node& Assembler::foreign(const std::string& file, const FileSet& set) {
  const auto known = foreign_.find(file);
  if (known != foreign_.end()) return known->second;
  const FileSet here{.files = {file}, .folder = folder_of(file), .environment = set.environment};
  Node whole = Node::of_map();
  for (const Node& raw : documents(file)) merge(whole, document(raw, here), project_section());
  return foreign_.emplace(file, std::move(whole)).first->second;
}

Node Assembler::extended_base(const Node& extends, Node& services, const FileSet& set,
                              Chain& chain) {
  const std::string file(extends.word("file"));
  const std::string name(extends.word("service"));
  Node* among = &services;
  if (!file.empty()) {
    Node* there = foreign(file, set).find("services");
    static Node nothing;
    among = there == nullptr ? &nothing : there;
  }
  Node* base = among->find(name);
  if (base == nullptr || !base->is_map()) {
    findings_.error(
        extends.place, "services." + chain.back().service + ".extends",
        "there is no service `" + name + "`" + (file.empty() ? " in this file" : " in " + file));
    return {};
  }
  const Link link{file.empty() ? chain.back().file : file, name};
  const bool again = std::any_of(chain.begin(), chain.end(), [&](const Link& other) {
    return other.file == link.file && other.service == link.service;
  });
  if (again || chain.size() > longest_chain) {
    findings_.error(extends.place, "services." + chain.back().service + ".extends",
                    "the service extends itself by way of `" + name + "`");
    return {};
  }
  chain.push_back(link);
  extend(*base, *among, set, chain);
  chain.pop_back();
  return *base;
}

void Assembler::extend(Node& service, Node& services, const FileSet& set, Chain& chain) {
  const Node* written = service.find("extends");
  if (written == nullptr || !written->is_map()) return;
  const Node extends = *written;
  Node base = extended_base(extends, services, set, chain);
  service.erase("extends");
  if (!base.is_map()) return;
  const Place place = service.place;
  const Node::Mark mark = service.mark;
  merge(base, std::move(service), service_section());
  service = std::move(base);
  service.place = place;
  service.mark = mark;
}

void Assembler::extend_all(Node& document, const std::string& file, const FileSet& set) {
  Node* services = document.find("services");
  if (services == nullptr) return;
  for (Member& member : services->members) {
    Chain chain = {{file, member.key}};
    extend(member.value, *services, set, chain);
  }
}

FileSet Assembler::included(const Node& entry, const FileSet& set) {
  const PathBase base{set.folder, home_};
  FileSet part{.files = {}, .folder = {}, .environment = set.environment};
  if (const Node* paths = entry.find("path"))
    for (const Node& path : paths->items) part.files.push_back(absolute(path.text, base));
  const std::string_view folder = entry.word("project_directory");
  if (!part.files.empty())
    part.folder = folder.empty() ? folder_of(part.files.front()) : absolute(folder, base);
  Strings env_files;
  if (const Node* listed = entry.find("env_file")) {
    for (const Node& file : listed->items) env_files.push_back(absolute(file.text, base));
  } else if (const std::string file = clean(part.folder + "/.env");
             exists(file) && !is_folder(file)) {
    env_files.push_back(file);
  }
  add_env_files(env_files, part.environment, sources_, findings_);
  return part;
}

void Assembler::import(Node& document, Node part, const Node& entry) {
  for (const char* kind : shared_kinds) {
    Node* from = part.find(kind);
    if (from == nullptr || !from->is_map()) continue;
    Node& into = document.at(kind);
    if (!into.is_map()) into = Node::of_map(entry.place);
    for (Member& member : from->members) {
      const Node* there = into.find(member.key);
      if (there == nullptr)
        into.members.push_back(std::move(member));
      else if (!same(*there, member.value))
        findings_.error(entry.place, std::string(kind) + "." + member.key,
                        "is in the included file too and differs there; override it in a file of "
                        "its own with -f");
    }
  }
}

void Assembler::include_all(Node& document, const FileSet& set) {
  const Node* list = document.find("include");
  if (list == nullptr) return;
  const Node entries = *list;
  document.erase("include");
  for (const Node& entry : entries.items) {
    if (!entry.is_map()) continue;
    const FileSet part = included(entry, set);
    const auto cycle = std::find_first_of(part.files.begin(), part.files.end(), including_.begin(),
                                          including_.end());
    if (part.files.empty() || cycle != part.files.end() || including_.size() > longest_chain) {
      findings_.error(entry.place, "include",
                      part.files.empty() ? "`path` is missing: the file that is included"
                                         : "the file includes itself by way of " + *cycle);
      continue;
    }
    import(document, assemble(part), entry);
  }
}

Node Assembler::assemble(const FileSet& set) {
  const std::size_t outer = including_.size();
  including_.insert(including_.end(), set.files.begin(), set.files.end());
  Node project = Node::of_map();
  for (const std::string& file : set.files) {
    for (const Node& raw : documents(file)) {
      Node next = document(raw, set);
      if (project.place.line == 0) project.place = next.place;
      extend_all(next, file, set);
      include_all(next, set);
      merge(project, std::move(next), project_section());
    }
  }
  including_.resize(outer);
  return project;
}

}  // namespace compose
