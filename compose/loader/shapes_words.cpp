// The checks of shapes.hpp: words of which one is expected.
#include <algorithm>
#include <initializer_list>

#include "compose/loader/shapes.hpp"
#include "compose/loader/units.hpp"

namespace compose {
namespace {

void expect_one(const YamlNode& node, const Path& path, Context& context,
                std::initializer_list<std::string_view> words) {
  if (!node.is_text() || std::find(words.begin(), words.end(), node.text) != words.end()) return;
  std::string expected;
  for (std::size_t i = 0; i < words.size(); ++i)
    expected += (i == 0                  ? ""
                 : i + 1 == words.size() ? " or "
                                         : ", ") +
                std::string(words.begin()[i]);
  context.findings.error(node.place, path, "expected " + expected + ", not " + spoken(node));
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.size() < 10 &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

void check_restart(YamlNode& node, const Path& path, Context& context) {
  constexpr std::string_view counted = "on-failure:";
  if (node.is_text() && node.text.starts_with(counted) &&
      all_digits(std::string_view(node.text).substr(counted.size())))
    return;
  expect_one(node, path, context, {"no", "always", "on-failure", "on-failure:N", "unless-stopped"});
}

void check_pull_policy(YamlNode& node, const Path& path, Context& context) {
  if (!node.is_text()) return;
  if (node.text == "if_not_present") node.text = "missing";
  if (node.text.starts_with("every_") &&
      duration_ns(std::string_view(node.text).substr(6)).value_or(0) > 0)
    return;
  expect_one(node, path, context,
             {"always", "never", "missing", "build", "daily", "weekly", "every_12h"});
}

void check_order(YamlNode& node, const Path& path, Context& context) {
  expect_one(node, path, context, {"start-first", "stop-first"});
}

void check_attestation(YamlNode& node, const Path& path, Context& context) {
  if (!node.is_text() && node.kind != YamlNode::Kind::boolean)
    context.findings.error(node.place, path, "expected text, true or false, not " + spoken(node));
}

void check_cgroup(YamlNode& node, const Path& path, Context& context) {
  expect_one(node, path, context, {"host", "private"});
}

void check_condition(YamlNode& node, const Path& path, Context& context) {
  expect_one(node, path, context,
             {"service_started", "service_healthy", "service_completed_successfully"});
}

void check_mount_type(YamlNode& node, const Path& path, Context& context) {
  if (node.text == "npipe" || node.text == "cluster") {
    context.findings.error(
        node.place, path,
        "a mount of type " + node.text + " is not supported: " +
            (node.text == "npipe" ? "it is of Windows" : "only a swarm has them"));
    return;
  }
  expect_one(node, path, context, {"bind", "volume", "tmpfs", "image"});
}

void check_recursive(YamlNode& node, const Path& path, Context& context) {
  expect_one(node, path, context, {"enabled", "disabled", "writable", "readonly"});
}

void check_selinux(YamlNode& node, const Path& path, Context& context) {
  expect_one(node, path, context, {"z", "Z"});
}

void check_container_name(YamlNode& node, const Path& path, Context& context) {
  if (!node.is_text()) return;
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool good = node.text.size() > 1 && letter(node.text[0]) &&
                    std::all_of(node.text.begin(), node.text.end(), [&](char c) {
                      return letter(c) || c == '_' || c == '.' || c == '-';
                    });
  if (!good)
    context.findings.error(
        node.place, path,
        "expected two or more of letters, digits, `_`, `.`, `-`, not " + spoken(node));
}

}  // namespace compose
