#include "compose/loader/shapes.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <iterator>

#include "compose/loader/scalars.hpp"
#include "compose/loader/units.hpp"

namespace compose {
namespace {

constexpr std::string_view remote[] = {"http://", "https://",    "git://", "git@",
                                       "ssh://",  "github.com/", "oci://", "docker-image://",
                                       "target:", "service:"};

constexpr char not_fetched[] = "remote files are not fetched by campaignctl; fetch it first";

bool is_remote(std::string_view text) {
  return std::any_of(std::begin(remote), std::end(remote),
                     [&](std::string_view prefix) { return text.starts_with(prefix); });
}

void rebase(YamlNode& node, Context& context) {
  if (node.is_text() && !node.text.empty()) node.text = absolute(node.text, context.base);
}

// A text becomes a list of it.
void as_list(YamlNode& node) {
  if (!node.is_text()) return;
  YamlNode list = YamlNode::of_list(node.place);
  list.items.push_back(std::move(node));
  node = std::move(list);
}

// A text becomes a map that has it under `key`.
void as_map(YamlNode& node, std::string_view key) {
  if (!node.is_text()) return;
  YamlNode map = YamlNode::of_map(node.place);
  map.mark = node.mark;
  node.mark = YamlNode::Mark::none;
  map.set(key, std::move(node));
  node = std::move(map);
}

void as_integer(YamlNode& node, std::int64_t value) {
  node = YamlNode::of_integer(value, node.place);
}

template <class Each>
void each_item(YamlNode& node, const Path& path, Each each) {
  for (std::size_t i = 0; i < node.items.size(); ++i)
    each(node.items[i], Path{&path, {}, static_cast<int>(i)});
}

void grants(YamlNode& node, std::string_view folder) {
  for (YamlNode& item : node.items) {
    as_map(item, "source");
    const std::string source(item.word("source"));
    if (!item.is_map() || folder.empty() || source.empty()) continue;
    const std::string_view target = item.word("target");
    if (target.empty())
      item.set("target", YamlNode::of_text(std::string(folder) + source, item.place));
  }
}

std::optional<std::uint32_t> octal(std::string_view text) {
  std::uint32_t value = 0;
  if (text.starts_with("0o")) text.remove_prefix(2);
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void shape_networks(YamlNode& node, const Path& path, Context& context) {
  if (!node.is_list()) return;
  YamlNode map = YamlNode::of_map(node.place);
  map.mark = node.mark;
  each_item(node, path, [&](YamlNode& item, const Path& at) {
    if (!item.is_text())
      context.findings.error(item.place, at, "expected a network's name, not " + spoken(item));
    else if (map.find(item.text) != nullptr)
      context.findings.error(item.place, at, "`" + item.text + "` stands here twice");
    else
      map.members.push_back({item.text, item.place, {}});
    if (!map.members.empty()) map.members.back().value.place = item.place;
  });
  node = std::move(map);
}

void shape_depends_on(YamlNode& node, const Path& path, Context& context) {
  if (node.is_list()) {
    YamlNode map = YamlNode::of_map(node.place);
    map.mark = node.mark;
    each_item(node, path, [&](YamlNode& item, const Path& at) {
      if (!item.is_text()) {
        context.findings.error(item.place, at, "expected a service's name, not " + spoken(item));
        return;
      }
      if (map.find(item.text) != nullptr)
        context.findings.error(item.place, at, "`" + item.text + "` stands here twice");
      YamlNode& entry = map.at(item.text);
      entry = YamlNode::of_map(item.place);
      entry.set("condition", YamlNode::of_text("service_started", item.place));
    });
    node = std::move(map);
  }
  for (Member& member : node.members) {
    if (!member.value.is_map() || member.value.find("required") != nullptr) continue;
    member.value.set("required", YamlNode::of_boolean(true, member.place));
  }
}

void shape_env_file(YamlNode& node, const Path&, Context& context) {
  as_list(node);
  for (YamlNode& item : node.items) {
    as_map(item, "path");
    if (!item.is_map()) continue;
    if (YamlNode* file = item.find("path")) rebase(*file, context);
    if (item.find("required") == nullptr)
      item.set("required", YamlNode::of_boolean(true, item.place));
  }
}

void shape_label_file(YamlNode& node, const Path&, Context& context) {
  as_list(node);
  for (YamlNode& item : node.items) rebase(item, context);
}

void shape_build(YamlNode& node, const Path&, Context& context) {
  as_map(node, "context");
  if (!node.is_map()) return;
  YamlNode* folder = node.find("context");
  if (folder != nullptr && folder->is_text() && !is_remote(folder->text)) rebase(*folder, context);
}

void shape_build_contexts(YamlNode& node, const Path&, Context& context) {
  for (Member& member : node.members)
    if (member.value.is_text() && !is_remote(member.value.text)) rebase(member.value, context);
}

void shape_extends(YamlNode& node, const Path& path, Context& context) {
  as_map(node, "service");
  if (YamlNode* file = node.find("file"); file != nullptr && file->is_text()) {
    if (is_remote(file->text)) {
      context.findings.error(file->place, Path{&path, "file"}, not_fetched);
      node.mark = YamlNode::Mark::reset;
      return;
    }
    rebase(*file, context);
  }
}

void shape_include(YamlNode& node, const Path& path, Context& context) {
  each_item(node, path, [&](YamlNode& item, const Path& at) {
    as_map(item, "path");
    YamlNode* files = item.find("path");
    if (files == nullptr)
      context.findings.error(item.place, at, "`path` is missing: the file that is included");
    if (files == nullptr) return;
    as_list(*files);
    std::erase_if(files->items, [&](const YamlNode& file) {
      const bool far = file.is_text() && is_remote(file.text);
      if (far) context.findings.error(file.place, at, not_fetched);
      return far;
    });
  });
}

void shape_gpus(YamlNode& node, const Path& path, Context& context) {
  if (node.is_text() && node.text == "all") {
    YamlNode map = YamlNode::of_map(node.place);
    map.set("count", YamlNode::of_integer(-1, node.place));
    YamlNode list = YamlNode::of_list(node.place);
    list.mark = node.mark;
    list.items.push_back(std::move(map));
    node = std::move(list);
  } else if (node.is_scalar()) {
    context.findings.error(node.place, path, "expected all or a list of maps, not " + spoken(node));
    node = YamlNode::of_list(node.place);
  }
  shape_device_requests(node, path, context);
}

void shape_device_requests(YamlNode& node, const Path&, Context&) {
  for (YamlNode& item : node.items)
    if (item.is_map() && item.find("count") == nullptr && item.find("device_ids") == nullptr)
      item.set("count", YamlNode::of_integer(-1, item.place));
}

void shape_device_count(YamlNode& node, const Path&, Context&) {
  if (node.is_text() && node.text == "all") as_integer(node, -1);
}

void shape_devices(YamlNode& node, const Path& path, Context& context) {
  each_item(node, path, [&](YamlNode& item, const Path& at) {
    if (item.is_map()) {
      if (item.word("target").empty())
        context.findings.error(item.place, at, "`target` is missing: the path in the container");
      const YamlNode* rights = item.find("permissions");
      if (rights == nullptr || (rights->is_text() && rights->text.empty()))
        item.set("permissions", YamlNode::of_text("rwm", item.place));
      return;
    }
    if (!item.is_text()) return;
    const std::string text = item.text;
    YamlNode map = YamlNode::of_map(item.place);
    const std::size_t first = text.find(':');
    const std::size_t second = first == text.npos ? text.npos : text.find(':', first + 1);
    const std::string source = text.substr(0, first);
    const std::string target =
        first == text.npos ? source : text.substr(first + 1, second - first - 1);
    const std::string rights = second == text.npos ? "rwm" : text.substr(second + 1);
    if (source.empty() || target.empty() || rights.empty() ||
        rights.find_first_not_of("rwm") != rights.npos)
      context.findings.error(item.place, at,
                             "expected HOST[:CONTAINER[:rwm]], not " + spoken(item));
    map.set("source", YamlNode::of_text(source, item.place));
    map.set("target", YamlNode::of_text(target, item.place));
    map.set("permissions", YamlNode::of_text(rights, item.place));
    item = std::move(map);
  });
}

void shape_secret_grants(YamlNode& node, const Path&, Context&) { grants(node, "/run/secrets/"); }
void shape_config_grants(YamlNode& node, const Path&, Context&) { grants(node, ""); }

void shape_mode(YamlNode& node, const Path& path, Context& context) {
  const bool valid = node.is_text() ? octal(node.text).has_value()
                                    : node.kind == YamlNode::Kind::integer && node.integer >= 0;
  if (!valid) {
    if (node.is_scalar())
      context.findings.error(node.place, path,
                             "expected an octal mode such as 0440, not " + spoken(node));
    return;
  }
  const std::uint32_t bits =
      node.is_text() ? *octal(node.text) : static_cast<std::uint32_t>(node.integer);
  char text[16];
  std::snprintf(text, sizeof text, "0%o", bits);
  node = YamlNode::of_text(text, node.place);
}

void shape_mount_mode(YamlNode& node, const Path& path, Context& context) {
  if (!node.is_text()) return;
  if (const auto bits = octal(node.text))
    as_integer(node, *bits);
  else
    context.findings.error(node.place, path,
                           "expected an octal mode such as 01777, not " + spoken(node));
}

void shape_ulimits(YamlNode& node, const Path& path, Context& context) {
  if (!node.is_map()) {
    context.findings.error(node.place, path, "expected a map of limits, not " + spoken(node));
    node = YamlNode::of_map(node.place);
    return;
  }
  const auto number = [&](YamlNode& value, const Path& at) {
    if (value.is_text()) {
      const YamlNode meaning = resolved(value.text, value.place);
      if (meaning.kind == YamlNode::Kind::integer) value = meaning;
    }
    if (value.kind != YamlNode::Kind::integer)
      context.findings.error(value.place, at, "expected a number, not " + spoken(value));
  };
  for (Member& member : node.members) {
    const Path at{&path, member.key};
    if (member.key.find_first_not_of("abcdefghijklmnopqrstuvwxyz") != member.key.npos)
      context.findings.error(member.place, at, "a limit's name has small letters only");
    if (!member.value.is_map()) {
      number(member.value, at);
      continue;
    }
    for (Member& side : member.value.members) {
      if (side.key == "soft" || side.key == "hard")
        number(side.value, Path{&at, side.key});
      else if (!side.key.starts_with("x-"))
        context.findings.error(side.place, Path{&at, side.key}, "unknown key; soft or hard");
    }
    if (member.value.find("soft") == nullptr || member.value.find("hard") == nullptr)
      context.findings.error(member.place, at, "both `soft` and `hard` are needed");
  }
}

void shape_extra_hosts(YamlNode& node, const Path& path, Context& context) {
  YamlNode list = YamlNode::of_list(node.place);
  list.mark = node.mark;
  const auto add = [&](const std::string& host, std::string_view address, const YamlNode& where) {
    while (address.size() > 1 && address.starts_with('[') && address.ends_with(']'))
      address = address.substr(1, address.size() - 2);
    list.items.push_back(YamlNode::of_text(host + "=" + std::string(address), where.place));
  };
  if (node.is_map()) {
    for (Member& member : node.members) {
      const Path at{&path, member.key};
      if (!member.value.is_text() && !member.value.is_list())
        context.findings.error(member.value.place, at,
                               "expected an address, not " + spoken(member.value));
      as_list(member.value);
      for (const YamlNode& address : member.value.items) add(member.key, address.text, address);
    }
    node = std::move(list);
  } else if (node.is_list()) {
    each_item(node, path, [&](YamlNode& item, const Path& at) {
      const std::size_t equals = item.text.find('=');
      const std::size_t cut = equals == item.text.npos ? item.text.find(':') : equals;
      if (!item.is_text() || cut == item.text.npos || cut == 0)
        context.findings.error(item.place, at, "expected NAME:ADDRESS, not " + spoken(item));
      else
        add(item.text.substr(0, cut), std::string_view(item.text).substr(cut + 1), item);
    });
    node = std::move(list);
  }
}

void shape_external(YamlNode& node, const Path& path, Context& context) {
  if (node.is_map()) return;
  const bool yes = node.kind == YamlNode::Kind::boolean ? node.truth : node.text == "true";
  if (node.kind != YamlNode::Kind::boolean && node.text != "true" && node.text != "false")
    context.findings.error(node.place, path, "expected true or false, not " + spoken(node));
  node = YamlNode::of_map(node.place);
  if (!yes) node.mark = YamlNode::Mark::reset;
}

void shape_health_test(YamlNode& node, const Path& path, Context& context) {
  if (node.is_text()) {
    as_list(node);
    node.items.insert(node.items.begin(), YamlNode::of_text("CMD-SHELL", node.place));
    return;
  }
  if (!node.is_list() || node.items.empty()) return;
  const std::string& kind = node.items.front().text;
  if (kind != "CMD" && kind != "CMD-SHELL" && kind != "NONE")
    context.findings.error(
        node.items.front().place, path,
        "expected CMD, CMD-SHELL or NONE as the first word, not " + spoken(node.items.front()));
}

void shape_file(YamlNode& node, const Path&, Context& context) { rebase(node, context); }

void shape_driver_opts(YamlNode& node, const Path&, Context& context) {
  if (!node.is_map() || node.word("o").find("bind") == std::string_view::npos) return;
  if (YamlNode* device = node.find("device")) rebase(*device, context);
}

}  // namespace compose
