// The ports of shapes.hpp: [[IP:]HOST:]CONTAINER[/PROTOCOL], where HOST and CONTAINER may be
// ranges.
#include <charconv>
#include <optional>

#include "compose/loader/shapes.hpp"

namespace compose {
namespace {

constexpr char form[] = "expected [[IP:][HOST]:]CONTAINER[/PROTOCOL] with ports up to 65535, not ";

struct Range {
  int first = 0, last = 0;
  int size() const { return last - first + 1; }
};

std::optional<int> port(std::string_view text) {
  int value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  if (value < 1 || value > 65535) return std::nullopt;
  return value;
}

std::optional<Range> range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = port(text.substr(0, dash));
  const auto last = dash == text.npos ? first : port(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return Range{*first, *last};
}

struct Written {
  std::string_view ip, host, target, protocol = "tcp";
};

Written parted(std::string_view text) {
  Written written;
  if (const std::size_t slash = text.rfind('/'); slash != text.npos) {
    written.protocol = text.substr(slash + 1);
    text = text.substr(0, slash);
  }
  const std::size_t last = text.rfind(':');
  written.target = text.substr(last == text.npos ? 0 : last + 1);
  if (last == text.npos) return written;
  text = text.substr(0, last);
  const std::size_t before = text.ends_with(']') ? text.npos : text.rfind(':');
  const bool bare = before == text.npos && !text.ends_with(']');
  written.host = bare ? text : before == text.npos ? std::string_view{} : text.substr(before + 1);
  if (!bare) written.ip = before == text.npos ? text : text.substr(0, before);
  if (written.ip.starts_with('[') && written.ip.ends_with(']'))
    written.ip = written.ip.substr(1, written.ip.size() - 2);
  return written;
}

YamlNode long_form(const Written& written, int target, const std::string& published, Place place) {
  YamlNode map = YamlNode::of_map(place);
  map.set("mode", YamlNode::of_text("ingress", place));
  if (!written.ip.empty()) map.set("host_ip", YamlNode::of_text(std::string(written.ip), place));
  map.set("target", YamlNode::of_integer(target, place));
  if (!published.empty()) map.set("published", YamlNode::of_text(published, place));
  map.set("protocol", YamlNode::of_text(std::string(written.protocol), place));
  return map;
}

// False: the text is no port.
bool expand(const YamlNode& item, std::vector<YamlNode>& into) {
  const Written written = parted(item.text);
  const auto targets = range(written.target);
  const auto hosts = written.host.empty() ? std::nullopt : range(written.host);
  const bool protocol =
      written.protocol == "tcp" || written.protocol == "udp" || written.protocol == "sctp";
  if (!targets || !protocol || (!written.host.empty() && !hosts)) return false;
  if (hosts && targets->size() > 1 && hosts->size() != targets->size()) return false;
  for (int i = 0; i < targets->size(); ++i) {
    std::string published;
    if (hosts)
      published =
          targets->size() == 1 ? std::string(written.host) : std::to_string(hosts->first + i);
    into.push_back(long_form(written, targets->first + i, published, item.place));
  }
  return true;
}

void complete(YamlNode& item, const Path& path, Context& context) {
  for (const char* key : {"target", "published"}) {
    YamlNode* number = item.find(key);
    if (number == nullptr) continue;
    const bool fits = std::string_view(key) == "target" ? port(number->text).has_value()
                                                        : range(number->text).has_value();
    if (!fits && number->is_scalar())
      context.findings.error(number->place, Path{&path, key},
                             "expected a port up to 65535, not " + spoken(*number));
    if (number->kind == YamlNode::Kind::integer && std::string_view(key) == "published")
      *number = YamlNode::of_text(number->text, number->place);
  }
  if (item.find("target") == nullptr)
    context.findings.error(item.place, path, "`target` is missing: the port in the container");
  if (item.find("mode") == nullptr) item.set("mode", YamlNode::of_text("ingress", item.place));
  if (item.find("protocol") == nullptr) item.set("protocol", YamlNode::of_text("tcp", item.place));
}

}  // namespace

void shape_ports(YamlNode& node, const Path& path, Context& context) {
  if (!node.is_list()) return;
  std::vector<YamlNode> ports;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    YamlNode& item = node.items[i];
    const Path at{&path, {}, static_cast<int>(i)};
    if (item.is_map()) {
      complete(item, at, context);
      ports.push_back(std::move(item));
    } else if (!(item.is_text() || item.kind == YamlNode::Kind::integer) || !expand(item, ports)) {
      context.findings.error(item.place, at, form + spoken(item));
    }
  }
  node.items = std::move(ports);
}

}  // namespace compose
