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

const std::vector<YamlNode>& Assembler::documents(const std::string& file) {
  const auto known = read_.find(file);
  if (known != read_.end()) return known->second;
  const Source source = sources_.read(file);
  std::vector<YamlNode> read = read_yaml(source, findings_);
  std::erase_if(read, [](const YamlNode& node) { return node.is_null(); });
  if (read.empty() && findings_.clean())
    findings_.error({source.name}, "", "is empty; a compose file has `services:`");
  return read_.emplace(file, std::move(read)).first->second;
}

std::string Assembler::name_in(const FileSet& set) {
  std::string name;
  std::vector<std::string> unset;
  for (const std::string& file : set.files) {
    for (const YamlNode& document : documents(file)) {
      const YamlNode* written = document.find("name");
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

void Assembler::interpolate_values(YamlNode& node, const Path& path, const Lookup& lookup) {
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

YamlNode Assembler::document(const YamlNode& raw, const FileSet& set) {
  YamlNode document = raw;
  if (!document.is_map()) {
    findings_.error(document.place, "", "expected a map of keys, not " + spoken(document));
    return YamlNode::of_map(document.place);
  }
  interpolate_values(document, Path{}, lookup_in(set.environment));
  Context context{findings_, {set.folder, home_}};
  canonicalise(document, context);
  return document;
}

YamlNode& Assembler::foreign(const std::string& file, const FileSet& set) {
  const auto known = foreign_.find(file);
  if (known != foreign_.end()) return known->second;
  const FileSet here{.files = {file}, .folder = folder_of(file), .environment = set.environment};
  YamlNode whole = YamlNode::of_map();
  for (const YamlNode& raw : documents(file)) merge(whole, document(raw, here), project_section());
  return foreign_.emplace(file, std::move(whole)).first->second;
}

YamlNode Assembler::extended_base(const YamlNode& extends, YamlNode& services, const FileSet& set,
                                  Chain& chain) {
  const std::string file(extends.word("file"));
  const std::string name(extends.word("service"));
  const std::string key = "services." + chain.back().service + ".extends";
  if (name.empty() || (!file.empty() && !exists(file))) {
    findings_.error(extends.place, key,
                    name.empty() ? "`service` is missing: which one is extended"
                                 : "there is no file " + std::string(sources_.name(file)));
    return {};
  }
  YamlNode* among = &services;
  if (!file.empty()) {
    YamlNode* there = foreign(file, set).find("services");
    static YamlNode nothing;
    among = there == nullptr ? &nothing : there;
  }
  YamlNode* base = among->find(name);
  if (base == nullptr || !base->is_map()) {
    findings_.error(
        extends.place, "services." + chain.back().service + ".extends",
        "there is no service `" + name + "`" +
            (file.empty() ? " in this file" : " in " + std::string(sources_.name(file))));
    return {};
  }
  const Link link{file.empty() ? chain.back().file : file, name};
  const bool again = std::any_of(chain.begin(), chain.end(), [&](const Link& other) {
    return other.file == link.file && other.service == link.service;
  });
  if (again || chain.size() > longest_chain) {
    findings_.error(extends.place, key, "the service extends itself by way of `" + name + "`");
    return {};
  }
  chain.push_back(link);
  extend(*base, *among, set, chain);
  chain.pop_back();
  return *base;
}

void Assembler::extend(YamlNode& service, YamlNode& services, const FileSet& set, Chain& chain) {
  const YamlNode* written = service.find("extends");
  if (written == nullptr || !written->is_map() || written->mark == YamlNode::Mark::reset) return;
  const YamlNode extends = *written;
  YamlNode base = extended_base(extends, services, set, chain);
  service.erase("extends");
  if (!base.is_map()) return;
  const Place place = service.place;
  const YamlNode::Mark mark = service.mark;
  merge(base, std::move(service), service_section());
  service = std::move(base);
  service.place = place;
  service.mark = mark;
}

void Assembler::extend_all(YamlNode& document, const std::string& file, const FileSet& set) {
  YamlNode* services = document.find("services");
  if (services == nullptr) return;
  for (Member& member : services->members) {
    Chain chain = {{file, member.key}};
    extend(member.value, *services, set, chain);
  }
}

FileSet Assembler::included(const YamlNode& entry, const FileSet& set) {
  const PathBase base{set.folder, home_};
  FileSet part{.files = {}, .folder = {}, .environment = set.environment};
  for (const YamlNode& path : entry.find("path")->items)
    part.files.push_back(absolute(path.text, base));
  const std::string_view folder = entry.word("project_directory");
  part.folder = folder.empty() ? folder_of(part.files.front()) : absolute(folder, base);
  Strings env_files;
  if (const YamlNode* listed = entry.find("env_file")) {
    for (const YamlNode& file : listed->items) env_files.push_back(absolute(file.text, base));
  } else if (const std::string file = clean(part.folder + "/.env");
             exists(file) && !is_folder(file)) {
    env_files.push_back(file);
  }
  add_env_files(env_files, part.environment, sources_, findings_);
  return part;
}

void Assembler::import(YamlNode& document, YamlNode part, const YamlNode& entry) {
  for (const char* kind : shared_kinds) {
    YamlNode* from = part.find(kind);
    if (from == nullptr || !from->is_map()) continue;
    YamlNode& into = document.at(kind);
    if (!into.is_map()) into = YamlNode::of_map(entry.place);
    for (Member& member : from->members) {
      const YamlNode* there = into.find(member.key);
      if (there == nullptr)
        into.members.push_back(std::move(member));
      else if (!same(*there, member.value))
        findings_.error(entry.place, std::string(kind) + "." + member.key,
                        "is in the included file too and differs there; override it in a file of "
                        "its own with -f");
    }
  }
}

void Assembler::include_all(YamlNode& document, const FileSet& set) {
  const YamlNode* list = document.find("include");
  if (list == nullptr) return;
  const YamlNode entries = *list;
  document.erase("include");
  for (const YamlNode& entry : entries.items) {
    const YamlNode* paths = entry.find("path");
    if (paths == nullptr || paths->items.empty()) continue;
    const FileSet part = included(entry, set);
    const auto cycle = std::find_first_of(part.files.begin(), part.files.end(), including_.begin(),
                                          including_.end());
    const auto missing = std::find_if_not(part.files.begin(), part.files.end(), exists);
    if (cycle != part.files.end() || including_.size() > longest_chain) {
      const std::string& by = cycle == part.files.end() ? part.files.front() : *cycle;
      findings_.error(entry.place, "include",
                      "the file includes itself by way of " + std::string(sources_.name(by)));
      continue;
    }
    if (missing != part.files.end()) {
      findings_.error(entry.place, "include",
                      "there is no file " + std::string(sources_.name(*missing)));
      continue;
    }
    import(document, assemble(part), entry);
  }
}

YamlNode Assembler::assemble(const FileSet& set) {
  const std::size_t outer = including_.size();
  including_.insert(including_.end(), set.files.begin(), set.files.end());
  YamlNode project = YamlNode::of_map();
  for (const std::string& file : set.files) {
    for (const YamlNode& raw : documents(file)) {
      YamlNode next = document(raw, set);
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
