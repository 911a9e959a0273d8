#include "compose/loader/merge.hpp"

#include <unordered_map>

namespace compose {
namespace {

void merge_value(Node& base, Node over, const Field& field);

void merge_map(Node& base, Node over, const Field& each) {
  for (Member& member : over.members) {
    if (Node* there = base.find(member.key))
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

void merge_list(Node& base, Node over, Merge how) {
  for (Node& item : over.items) base.items.push_back(std::move(item));
  make_unique(base, how);
}

void merge_logging(Node& base, Node over, const Field& field) {
  const std::string_view before = base.word("driver"), after = over.word("driver");
  if (!before.empty() && !after.empty() && before != after) base.erase("options");
  merge(base, std::move(over), field.section());
}

void merge_value(Node& base, Node over, const Field& field) {
  const bool afresh = base.mark == Node::Mark::reset;
  if (over.mark == Node::Mark::none && over.is_null() && field.form != Form::environment) return;
  if (over.mark != Node::Mark::none || afresh || base.kind != over.kind ||
      field.merge == Merge::replace || over.is_scalar()) {
    if (afresh && over.mark == Node::Mark::none) over.mark = Node::Mark::replace;
    base = std::move(over);
    return;
  }
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

std::string identity(const Node& item, Merge how) {
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

void merge(Node& base, Node over, const Section& what) {
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

void make_unique(Node& list, Merge how) {
  if (how == Merge::deep || how == Merge::replace || how == Merge::logging) return;
  std::unordered_map<std::string, std::size_t> places;
  std::vector<Node> kept;
  for (Node& item : list.items) {
    const auto [there, fresh] = places.emplace(identity(item, how), kept.size());
    if (fresh)
      kept.push_back(std::move(item));
    else
      kept[there->second] = std::move(item);
  }
  list.items = std::move(kept);
}

}  // namespace compose
