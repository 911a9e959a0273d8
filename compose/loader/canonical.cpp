#include "compose/loader/canonical.hpp"

#include <algorithm>
#include <cmath>

#include "compose/loader/nearest.hpp"
#include "compose/loader/scalars.hpp"
#include "compose/loader/text_fault.hpp"
#include "compose/loader/units.hpp"
#include "compose/loader/words.hpp"

namespace compose {
namespace {

void section(YamlNode& node, const Section& what, const Path& path, Context& context);

void wrong(const YamlNode& node, const Path& path, Context& context, const std::string& expected) {
  context.findings.error(node.place, path, "expected " + expected + ", not " + spoken(node));
}

void text(YamlNode& node, const Path& path, Context& context) {
  if (node.is_text()) return;
  if (!node.is_scalar() || node.is_null()) return wrong(node, path, context, "text");
  context.findings.error(node.place, path,
                         "expected text, not " + spoken(node) + "; write it in quotes");
  node = YamlNode::of_text(node.text, node.place);
}

void integer(YamlNode& node, const Path& path, Context& context) {
  const YamlNode meaning = node.is_text() ? resolved(node.text, node.place) : node;
  const bool whole = meaning.kind == YamlNode::Kind::real && std::fabs(meaning.real) < 9e15 &&
                     meaning.real == std::floor(meaning.real);
  if (meaning.kind != YamlNode::Kind::integer && !whole)
    return wrong(node, path, context, "a whole number");
  const YamlNode::Mark mark = node.mark;
  node = YamlNode::of_integer(whole ? static_cast<std::int64_t>(meaning.real) : meaning.integer,
                              node.place);
  node.mark = mark;
}

void number(YamlNode& node, const Path& path, Context& context) {
  const YamlNode meaning = node.is_text() ? resolved(node.text, node.place) : node;
  if (!meaning.is_number() || !std::isfinite(meaning.real))
    return wrong(node, path, context, "a number");
  const YamlNode::Mark mark = node.mark;
  node = meaning;
  node.mark = mark;
}

void flag(YamlNode& node, const Path& path, Context& context) {
  if (node.kind == YamlNode::Kind::boolean) return;
  std::string word = node.is_text() ? node.text : "";
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const bool yes = word == "true" || word == "yes" || word == "y" || word == "on";
  if (!yes && word != "false" && word != "no" && word != "n" && word != "off")
    return wrong(node, path, context, "true or false");
  const YamlNode::Mark mark = node.mark;
  node = YamlNode::of_boolean(yes, node.place);
  node.mark = mark;
}

void bytes(YamlNode& node, const Path& path, Context& context) {
  if (node.is_text()) {
    const auto count = node.text == "-1" ? std::optional<std::int64_t>(-1) : byte_count(node.text);
    if (!count) return wrong(node, path, context, "a size such as 64m or 1.5g");
    node = YamlNode::of_integer(*count, node.place);
    return;
  }
  if (!node.is_number()) return wrong(node, path, context, "a size such as 64m or 1.5g");
  integer(node, path, context);
  if (node.integer < -1) wrong(node, path, context, "a size such as 64m or 1.5g");
}

void duration(YamlNode& node, const Path& path, Context& context) {
  const auto ns = node.is_text() ? duration_ns(node.text) : std::nullopt;
  if (!ns || *ns < 0)
    return wrong(node, path, context, "a duration with its unit, such as 1m30s or 500ms");
  node.text = duration_text(*ns);
}

void texts(YamlNode& node, const Path& path, Context& context) {
  if (!node.is_list()) return wrong(node, path, context, "a list of texts");
  for (std::size_t i = 0; i < node.items.size(); ++i)
    text(node.items[i], Path{&path, {}, static_cast<int>(i)}, context);
}

void text_or_texts(YamlNode& node, const Path& path, Context& context) {
  if (!node.is_text()) return texts(node, path, context);
  YamlNode list = YamlNode::of_list(node.place);
  list.mark = node.mark;
  list.items.push_back(YamlNode::of_text(node.text, node.place));
  node = std::move(list);
}

void command(YamlNode& node, const Path& path, Context& context) {
  if (!node.is_text() && !node.is_list())
    return wrong(node, path, context, "a command line or a list of words");
  if (!node.is_text()) return texts(node, path, context);
  auto line = split_words(node.text);
  if (!line) return wrong(node, path, context, "a command whose quotes are closed");
  if (!line->cut.empty())
    context.findings.warn(
        node.place, path.text(),
        "the command ends before `" + line->cut + "`: no shell reads it; write [sh, -c, \"...\"]");
  YamlNode list = YamlNode::of_list(node.place);
  list.mark = node.mark;
  for (std::string& word : line->words)
    list.items.push_back(YamlNode::of_text(std::move(word), node.place));
  node = std::move(list);
}

void numbers_as_texts(YamlNode& node, const Path& path, Context& context) {
  for (YamlNode& item : node.items)
    if (item.is_number()) item = YamlNode::of_text(item.text, item.place);
  texts(node, path, context);
}

// A list of K=V becomes a map. A K alone is null.
void pair_list(YamlNode& node, const Path& path, Context& context) {
  YamlNode map = YamlNode::of_map(node.place);
  map.mark = node.mark;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode& item = node.items[i];
    const std::size_t equals = item.text.find('=');
    const std::string key = item.text.substr(0, equals);
    if (!item.is_text() || key.empty() || key.ends_with(' ')) {
      wrong(item, Path{&path, {}, static_cast<int>(i)}, context, "KEY=value");
      continue;
    }
    if (const std::string fault = key_fault(key); !fault.empty()) {
      context.findings.error(item.place, Path{&path, {}, static_cast<int>(i)}, fault);
      continue;
    }
    YamlNode& value = map.at(key);
    value = equals == item.text.npos ? YamlNode{} : YamlNode::of_text(item.text.substr(equals + 1));
    value.place = item.place;
  }
  node = std::move(map);
}

void pairs(YamlNode& node, const Path& path, Context& context, Form form) {
  if (node.is_list() && form != Form::options) pair_list(node, path, context);
  if (!node.is_map())
    return wrong(node, path, context,
                 form == Form::options ? "a map of texts" : "a map or a list of KEY=value");
  for (Member& member : node.members) {
    YamlNode& value = member.value;
    const Path at{&path, member.key};
    if (value.mark == YamlNode::Mark::reset || (value.is_null() && form == Form::environment))
      continue;
    if (!value.is_scalar() || (value.kind == YamlNode::Kind::real && !std::isfinite(value.real)))
      wrong(value, at, context, "text");
    const YamlNode::Mark mark = value.mark;
    value = YamlNode::of_text(value.text, value.place);
    value.mark = mark;
  }
}

bool names_well(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

void named(YamlNode& node, const Section& what, const Path& path, Context& context) {
  if (!node.is_map()) return wrong(node, path, context, "a map of names");
  for (Member& member : node.members) {
    const Path at{&path, member.key};
    if (!names_well(member.key))
      context.findings.error(member.place, at, "a name has letters, digits, `.`, `_` and `-` only");
    section(member.value, what, at, context);
  }
}

void convert(YamlNode& node, const Field& field, const Path& path, Context& context) {
  if (node.mark == YamlNode::Mark::reset || node.is_null()) return;
  if (field.shape != nullptr) field.shape(node, path, context);
  if (node.is_null()) return;
  switch (field.form) {
    case Form::anything:
      return;
    case Form::text:
      return text(node, path, context);
    case Form::integer:
      return integer(node, path, context);
    case Form::number:
      return number(node, path, context);
    case Form::flag:
      return flag(node, path, context);
    case Form::bytes:
      return bytes(node, path, context);
    case Form::duration:
      return duration(node, path, context);
    case Form::command:
      return command(node, path, context);
    case Form::texts:
      return texts(node, path, context);
    case Form::text_or_texts:
      return text_or_texts(node, path, context);
    case Form::texts_or_numbers:
      return numbers_as_texts(node, path, context);
    case Form::pairs:
    case Form::environment:
    case Form::options:
      return pairs(node, path, context, field.form);
    case Form::section:
      return section(node, field.section(), path, context);
    case Form::named:
      return named(node, field.section(), path, context);
    case Form::sections:
      if (!node.is_list()) return wrong(node, path, context, "a list");
      for (std::size_t i = 0; i < node.items.size(); ++i)
        section(node.items[i], field.section(), Path{&path, {}, static_cast<int>(i)}, context);
  }
}

void unknown(const Member& member, const Section& what, const Path& path, Context& context) {
  std::vector<std::string_view> known;
  for (const Field& field : what.fields) known.push_back(field.key);
  context.findings.error(member.place, path, "unknown key" + did_you_mean(member.key, known));
}

void section(YamlNode& node, const Section& what, const Path& path, Context& context) {
  if (node.mark == YamlNode::Mark::reset || node.is_null()) return;
  if (!node.is_map()) return wrong(node, path, context, "a map");
  for (Member& member : node.members) {
    if (what.extensions && member.key.starts_with("x-")) continue;
    const Path at{&path, member.key};
    const Field* field = what.find(member.key);
    if (field == nullptr) {
      unknown(member, what, at, context);
      continue;
    }
    if (!field->refused.empty() && member.value.mark != YamlNode::Mark::reset)
      context.findings.error(member.place, at, "not supported: " + std::string(field->refused));
    else if (!field->idle.empty())
      context.findings.warn(member.place, at.text(), "ignored: " + std::string(field->idle));
    convert(member.value, *field, at, context);
  }
}

}  // namespace

void canonicalise(YamlNode& document, Context& context) {
  section(document, project_section(), Path{}, context);
}

}  // namespace compose
