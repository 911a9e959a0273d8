#include <algorithm>

#include "compose/loader/canonical.hpp"
#include "compose/loader/merge.hpp"

namespace compose {
namespace {

void section(YamlNode& node, const Section& what, const Path& path, Findings& findings);

// null means something: the image's own, the default, or a value of the caller's.
bool may_be_null(const Field& field) {
  return (field.form == Form::anything && field.shape == nullptr) || field.form == Form::command ||
         field.key == "pid" || field.key == "deploy";
}

// Networks and volumes are often named without saying more.
bool entries_may_be_null(const Field& field) {
  return field.key == "networks" || field.key == "volumes";
}

bool means_nothing(const YamlNode& node, const Field& field) {
  if (node.is_null()) return field.form != Form::command;
  if (field.kept) return false;
  switch (node.kind) {
    case YamlNode::Kind::boolean:
      return !node.truth;
    case YamlNode::Kind::integer:
    case YamlNode::Kind::real:
      return node.real == 0;
    case YamlNode::Kind::text:
      return node.text.empty();
    case YamlNode::Kind::list:
      return node.items.empty();
    default:
      return node.members.empty() && field.form != Form::section;
  }
}

void strip(YamlNode& node) {
  std::erase_if(node.members,
                [](const Member& member) { return member.value.mark == YamlNode::Mark::reset; });
  std::erase_if(node.items,
                [](const YamlNode& item) { return item.mark == YamlNode::Mark::reset; });
  node.mark = YamlNode::Mark::none;
}

void value(YamlNode& node, const Field& field, const Path& path, Findings& findings) {
  strip(node);
  if (field.form == Form::section) return section(node, field.section(), path, findings);
  if (node.is_list()) make_unique(node, field.merge);
  if (field.form == Form::sections)
    for (std::size_t i = 0; i < node.items.size(); ++i)
      section(node.items[i], field.section(), Path{&path, {}, static_cast<int>(i)}, findings);
  if (field.form != Form::named) return;
  for (Member& member : node.members) {
    const Path at{&path, member.key};
    if (member.value.is_null() && !entries_may_be_null(field))
      findings.error(member.place, at, "is empty");
    section(member.value, field.section(), at, findings);
  }
}

void section(YamlNode& node, const Section& what, const Path& path, Findings& findings) {
  if (!node.is_map()) return;
  strip(node);
  for (Member& member : node.members) {
    const Field* field = what.find(member.key);
    if (field == nullptr || !field->refused.empty()) continue;
    const Path at{&path, member.key};
    if (member.value.is_null() && !may_be_null(*field))
      findings.error(member.place, at, "is empty; give it a value or leave it out");
    value(member.value, *field, at, findings);
  }
  std::erase_if(node.members, [&](const Member& member) {
    const Field* field = what.find(member.key);
    return field != nullptr && means_nothing(member.value, *field);
  });
  for (const std::string_view key : what.required)
    if (node.find(key) == nullptr)
      findings.error(node.place, path, "`" + std::string(key) + "` is missing");
}

}  // namespace

void complete(YamlNode& project, Findings& findings) {
  section(project, project_section(), Path{}, findings);
}

}  // namespace compose
