// The volumes of shapes.hpp: [SOURCE:]TARGET[:OPTIONS].
#include <algorithm>
#include <optional>

#include "compose/loader/shapes.hpp"

namespace compose {
namespace {

constexpr std::string_view propagations[] = {"private", "rprivate", "shared",
                                             "rshared", "slave",    "rslave"};
constexpr std::string_view without_effect[] = {"rw", "cached", "delegated", "consistent", "copy"};

template <std::size_t n>
bool one_of(std::string_view word, const std::string_view (&words)[n]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool is_path(std::string_view source) {
  return source.starts_with('/') || source.starts_with('.') || source.starts_with('~');
}

// False: the option is unknown.
bool apply(std::string_view option, YamlNode& mount) {
  const auto part = [&](std::string_view key) -> YamlNode& {
    YamlNode& node = mount.at(key);
    if (!node.is_map()) node = YamlNode::of_map(mount.place);
    return node;
  };
  if (option == "ro")
    mount.set("read_only", YamlNode::of_boolean(true, mount.place));
  else if (option == "z" || option == "Z")
    part("bind").set("selinux", YamlNode::of_text(std::string(option), mount.place));
  else if (one_of(option, propagations))
    part("bind").set("propagation", YamlNode::of_text(std::string(option), mount.place));
  else if (option == "nocopy" || option == "volume-nocopy")
    part("volume").set("nocopy", YamlNode::of_boolean(true, mount.place));
  else
    return one_of(option, without_effect);
  return true;
}

void options(std::string_view list, YamlNode& mount, const Path& path, Context& context) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view option = list.substr(0, comma);
    if (!apply(option, mount))
      context.findings.error(mount.place, path,
                             "unknown option `" + std::string(option) +
                                 "`; there are ro, rw, z, Z, nocopy and the propagations");
    list = comma == list.npos ? std::string_view{} : list.substr(comma + 1);
  }
}

struct Parts {
  std::string source, target, options;
};

std::optional<Parts> parted(const std::string& text) {
  const std::size_t first = text.find(':');
  if (first == text.npos) return Parts{.source = "", .target = text, .options = ""};
  const std::size_t second = text.find(':', first + 1);
  Parts parts{.source = text.substr(0, first),
              .target = text.substr(first + 1, second - first - 1),
              .options = second == text.npos ? "" : text.substr(second + 1)};
  if (parts.source.empty() || parts.target.empty() || parts.options.find(':') != text.npos)
    return std::nullopt;
  return parts;
}

void shorthand(YamlNode& item, const Path& path, Context& context) {
  const auto parts = parted(item.text);
  if (!parts || !parts->target.starts_with('/')) {
    context.findings.error(
        item.place, path,
        "expected [SOURCE:]TARGET[:OPTIONS] with an absolute TARGET, not " + spoken(item));
    return;
  }
  if (parts->source.size() == 1 && !is_path(parts->source)) {
    context.findings.error(item.place, path,
                           "a source of one letter is a Windows drive to docker compose; give the "
                           "volume a longer name, or use the long form");
    return;
  }
  const bool bind = is_path(parts->source);
  YamlNode mount = YamlNode::of_map(item.place);
  mount.set("type", YamlNode::of_text(bind ? "bind" : "volume", item.place));
  if (!parts->source.empty()) mount.set("source", YamlNode::of_text(parts->source, item.place));
  mount.set("target", YamlNode::of_text(parts->target, item.place));
  YamlNode& part = mount.set(bind ? "bind" : "volume", YamlNode::of_map(item.place));
  if (bind) part.set("create_host_path", YamlNode::of_boolean(true, item.place));
  options(parts->options, mount, path, context);
  item = std::move(mount);
}

void complete(YamlNode& item, const Path& path, Context& context) {
  const std::string_view type = item.word("type");
  YamlNode* source = item.find("source");
  if (type == "bind" && source != nullptr && source->is_text())
    source->text = absolute(source->text, context.base);
  if ((type == "bind" || type == "image") && item.word("source").empty())
    context.findings.error(item.place, path, "`source` is missing: what is mounted");
  if (type == "tmpfs" && !item.word("source").empty())
    context.findings.error(item.place, path, "a tmpfs has no `source`");
  YamlNode* target = item.find("target");
  if (target == nullptr || !target->is_text() || !target->text.starts_with('/')) {
    context.findings.error(item.place, path, "`target` is missing: an absolute path");
    return;
  }
  target->text = clean(target->text);
}

}  // namespace

void shape_volumes(YamlNode& node, const Path& path, Context& context) {
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    YamlNode& item = node.items[i];
    const Path at{&path, {}, static_cast<int>(i)};
    if (item.is_text()) shorthand(item, at, context);
    if (item.is_map()) complete(item, at, context);
    if (item.is_text())
      item = YamlNode::of_map(item.place), item.set("type", YamlNode::of_text("volume"));
  }
}

}  // namespace compose
