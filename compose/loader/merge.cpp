#include "compose/loader/merge.hpp"

#include <algorithm>
#include <unordered_map>

namespace compose {
namespace {

void merge_value(YamlNode& base, YamlNode over, const Field& field);

void merge_map(YamlNode& base, YamlNode over, const Field& each) {
  for (Member& member : over.members) {
    if (YamlNode* there = base.find(member.key))
      merge_value(*there, std::move(member.value), each);
    else
      base.members.push_back(std::move(member));
  }
}

// What has no place in the table: x-..., and maps whose keys are free.
const Field& free_field() {
  static const Field field = {.key = "", .form = Form::anything};
  return field;
}

void merge_list(YamlNode& base, YamlNode over, Merge how) {
  for (YamlNode& item : over.items) base.items.push_back(std::move(item));
  make_unique(base, how);
}

void merge_pools(YamlNode& base, YamlNode over, const Section& what) {
  for (YamlNode& item : over.items) {
    const auto there = std::find_if(
        base.items.begin(), base.items.end(),
        [&](const YamlNode& pool) { return pool.word("subnet") == item.word("subnet"); });
    if (there == base.items.end())
      base.items.push_back(std::move(item));
    else
      merge(*there, std::move(item), what);
  }
}

void merge_logging(YamlNode& base, YamlNode over, const Field& field) {
  const std::string_view before = base.word("driver"), after = over.word("driver");
  if (!before.empty() && !after.empty() && before != after) base.erase("options");
  merge(base, std::move(over), field.section());
}

void merge_value(YamlNode& base, YamlNode over, const Field& field) {
  const bool afresh = base.mark == YamlNode::Mark::reset;
  if (over.mark == YamlNode::Mark::none && over.is_null() && field.form != Form::environment)
    return;
  if (over.mark != YamlNode::Mark::none || afresh || base.kind != over.kind ||
      field.merge == Merge::replace || over.is_scalar()) {
    if (afresh && over.mark == YamlNode::Mark::none) over.mark = YamlNode::Mark::replace;
    base = std::move(over);
    return;
  }
  if (field.merge == Merge::by_subnet) return merge_pools(base, std::move(over), field.section());
  if (over.is_list()) return merge_list(base, std::move(over), field.merge);
  if (field.merge == Merge::logging) return merge_logging(base, std::move(over), field);
  if (field.form == Form::section) return merge(base, std::move(over), field.section());
  Field each = free_field();
  if (field.form == Form::named) {
    each.form = Form::section;
    each.section = field.section;
  } else if (field.form == Form::environment) {
    each.form = Form::environment;
  }
  merge_map(base, std::move(over), each);
}

std::string identity(const YamlNode& item, Merge how) {
  switch (how) {
    case Merge::unique:
      return item.text;
    case Merge::by_target: {
      const std::string_view target = item.word("target");
      return std::string(target.empty() ? item.word("source") : target);
    }
    case Merge::by_path:
      return std::string(item.word("path"));
    case Merge::by_port:
      return std::string(item.word("host_ip")) + "|" + std::string(item.word("published")) + "|" +
             std::string(item.word("target")) + "|" + std::string(item.word("protocol"));
    default:
      return "";
  }
}

}  // namespace

void merge(YamlNode& base, YamlNode over, const Section& what) {
  if (!base.is_map()) {
    base = std::move(over);
    return;
  }
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < base.members.size(); ++i) places.emplace(base.members[i].key, i);
  std::vector<Member> added;
  for (Member& member : over.members) {
    const auto there = places.find(member.key);
    if (there == places.end()) {
      added.push_back(std::move(member));
      continue;
    }
    const Field* field = what.find(member.key);
    merge_value(base.members[there->second].value, std::move(member.value),
                field == nullptr ? free_field() : *field);
  }
  for (Member& member : added) base.members.push_back(std::move(member));
}

void make_unique(YamlNode& list, Merge how) {
  if (how == Merge::deep || how == Merge::replace || how == Merge::logging ||
      how == Merge::by_subnet)
    return;
  std::unordered_map<std::string, std::size_t> places;
  std::vector<YamlNode> kept;
  for (YamlNode& item : list.items) {
    const auto [there, fresh] = places.emplace(identity(item, how), kept.size());
    if (fresh)
      kept.push_back(std::move(item));
    else
      kept[there->second] = std::move(item);
  }
  list.items = std::move(kept);
}

}  // namespace compose
