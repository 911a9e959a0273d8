#include "tests/support/container/real_engine.hpp"

#include <unistd.h>

#include <cstdlib>

namespace container::test {

namespace {

constexpr char test_label[] = "campaignctl.test";

constexpr char make_probe[] = R"sh(set -e
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
mkdir -p "$d/bin" "$d/tmp" "$d/etc"
cp "$(command -v busybox)" "$d/bin/busybox"
for a in $(busybox --list); do [ "$a" = busybox ] || ln -s busybox "$d/bin/$a"; done
echo 'root:x:0:0:root:/root:/bin/sh' > "$d/etc/passwd"
tar -C "$d" -c . | docker -H "$1" import -c 'CMD ["/bin/sh"]' - campaignctl/probe:1 >/dev/null)sh";

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

}  // namespace

void RealEngine::SetUp() {
  std::vector<std::string> tried;
  const auto found = find_endpoint({.environment = variable, .explicit_host = {}}, &tried);
  if (!found) {
    std::string reason = "no container engine accepts; tried";
    for (const auto& place : tried) reason += " " + place;
    if (variable("CAMPAIGNCTL_ENGINE") == "required") FAIL() << reason;
    GTEST_SKIP() << reason;
  }
  endpoint_ = *found;
  engine_ = make_docker_engine(loop_.io(), {.endpoint = endpoint_});
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  unique_ = std::string("cctl-test-") + test->name() + "-" + std::to_string(::getpid());
  if (!loop_.run(engine_->image(probe_image))) {
    const auto command = "sh -c '" + [] {
      std::string quoted;
      for (const char c : std::string(make_probe))
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
      return quoted;
    }() + "' sh " + endpoint_.text();
    ASSERT_EQ(std::system(command.c_str()), 0)
        << "the probe image could not be made (needs busybox and the docker command)";
  }
}

void RealEngine::TearDown() {
  if (!engine_) return;
  const auto left = loop_.run(engine_->list({{test_label, unique_}}));
  for (const auto& container : left) loop_.run(engine_->remove(container.id, true));
  for (const auto& network : loop_.run(engine_->networks().list({{test_label, unique_}})))
    loop_.run(engine_->networks().remove(network.id));
  for (const auto& volume : loop_.run(engine_->volumes().list({{test_label, unique_}})))
    loop_.run(engine_->volumes().remove(volume.name));
}

ContainerSpec RealEngine::shell(const std::string& script) const {
  ContainerSpec spec;
  spec.name = unique_;
  spec.image = probe_image;
  spec.command = {"/bin/sh", "-c", script};
  spec.labels = {{test_label, unique_}};
  spec.network = "none";
  return spec;
}

std::string RealEngine::create(const ContainerSpec& spec) {
  return loop_.run(engine_->create(spec));
}

WaitResult RealEngine::ended(const std::string& id) {
  const auto wait = loop_.run(engine_->wait(id, WaitCondition::not_running));
  return loop_.run(wait->result());
}

Task<Collected> collect(OutputStream& stream) {
  Collected all;
  while (const auto chunk = co_await stream.next()) {
    auto& into = chunk->stream == OutputChunk::Stream::out   ? all.out
                 : chunk->stream == OutputChunk::Stream::err ? all.err
                                                             : all.system;
    into += chunk->data;
  }
  co_return all;
}

}  // namespace container::test
