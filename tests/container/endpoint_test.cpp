#include "container/endpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "container/digest.hpp"
#include "tests/support/container/scripted_engine.hpp"

namespace container {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string refusal(const std::function<void()>& ask) {
  try {
    ask();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "nothing was refused";
}

class EndpointSearchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "endpoint-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    home_ = pattern;
    environment_["HOME"] = home_.string();
  }
  void TearDown() override { fs::remove_all(home_); }

  void write(const std::string& file, const std::string& text) {
    fs::create_directories((home_ / file).parent_path());
    std::ofstream(home_ / file) << text;
  }
  void write_context(const std::string& name, const std::string& meta) {
    write(".docker/contexts/meta/" + sha256_hex(name) + "/meta.json", meta);
  }
  std::optional<Endpoint> find(const std::string& explicit_host = {}) {
    const auto look = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      if (found == environment_.end()) return std::nullopt;
      return found->second;
    };
    return find_endpoint({.environment = look, .explicit_host = explicit_host}, &tried_);
  }

  fs::path home_;
  std::map<std::string, std::string> environment_;
  std::vector<std::string> tried_;
};

TEST(Endpoint, UrlsOfSocketsAndPortsAreRead) {
  EXPECT_EQ(parse_endpoint("unix:///a/b.sock").path, "/a/b.sock");
  EXPECT_EQ(parse_endpoint("/a/b.sock").text(), "unix:///a/b.sock");
  EXPECT_EQ(parse_endpoint("tcp://h:1234").text(), "tcp://h:1234");
  EXPECT_EQ(parse_endpoint("tcp://h").port, "2375");
  EXPECT_EQ(parse_endpoint("tcp://h:1/").text(), "tcp://h:1");
  EXPECT_EQ(parse_endpoint("h:99").text(), "tcp://h:99");
  EXPECT_EQ(parse_endpoint("tcp://[::1]:99").host, "::1");
  EXPECT_EQ(parse_endpoint("tcp://[::1]:99").text(), "tcp://[::1]:99");
}

TEST(Endpoint, WhatCannotBeUsedIsRefusedWithARemedy) {
  for (const char* url : {"ssh://u@h", "https://h:2376"}) {
    EXPECT_THAT(refusal([&] { parse_endpoint(url); }), HasSubstr("ssh -N -L")) << url;
  }
  for (const char* url :
       {"", "h", "npipe:////./pipe/x", "fd://", "unix://relative", "unix://", "tcp://", "tcp://:1",
        "tcp://h:0", "tcp://h:65536", "tcp://h:", "tcp://h:x", "tcp://[::1", "tcp://h:1/path"}) {
    EXPECT_THAT(refusal([&] { parse_endpoint(url); }),
                HasSubstr("engine endpoint '" + std::string(url) + "'"))
        << url;
  }
  EXPECT_THAT(refusal([] { parse_endpoint("unix:///" + std::string(200, 'x')); }),
              HasSubstr("107"));
}

TEST_F(EndpointSearchTest, WhatIsSaidWinsInOrder) {
  write(".docker/config.json", R"({"currentContext":"c"})");
  write_context("c", R"({"Endpoints":{"docker":{"Host":"unix:///context.sock"}}})");
  EXPECT_EQ(find()->text(), "unix:///context.sock");
  EXPECT_EQ(find()->source, "context c");
  write_context("d", R"({"Endpoints":{"docker":{"Host":"tcp://d:1"}}})");
  environment_["DOCKER_CONTEXT"] = "d";
  EXPECT_EQ(find()->source, "context d");
  environment_["DOCKER_HOST"] = "tcp://e:1";
  EXPECT_EQ(find()->source, "DOCKER_HOST");
  EXPECT_EQ(find("tcp://f:1")->text(), "tcp://f:1");
}

TEST_F(EndpointSearchTest, ConfigFolderMayBeElsewhere) {
  write("elsewhere/config.json", R"({"currentContext":"c"})");
  write("elsewhere/contexts/meta/" + sha256_hex("c") + "/meta.json",
        R"({"Endpoints":{"docker":{"Host":"tcp://c:1"}}})");
  environment_["DOCKER_CONFIG"] = (home_ / "elsewhere").string();
  EXPECT_EQ(find()->text(), "tcp://c:1");
}

TEST_F(EndpointSearchTest, BrokenContextsAreNamed) {
  environment_["DOCKER_CONTEXT"] = "gone";
  EXPECT_THAT(refusal([&] { find(); }), HasSubstr("context 'gone'"));
  write_context("gone", "{}");
  EXPECT_THAT(refusal([&] { find(); }), HasSubstr("meta.json"));
  write_context("gone", "{nonsense");
  EXPECT_THAT(refusal([&] { find(); }), HasSubstr("not a JSON object"));
  write_context("gone", R"({"Endpoints":[]})");
  EXPECT_THAT(refusal([&] { find(); }), HasSubstr("Endpoints.docker.Host"));
  environment_.erase("DOCKER_CONTEXT");
  write(".docker/config.json", "[]");
  EXPECT_THAT(refusal([&] { find(); }), HasSubstr("config.json"));
}

TEST_F(EndpointSearchTest, TlsIsRefusedWithARemedy) {
  environment_["DOCKER_TLS_VERIFY"] = "1";
  environment_["DOCKER_HOST"] = "tcp://h:2376";
  EXPECT_THAT(refusal([&] { find(); }), HasSubstr("DOCKER_TLS_VERIFY"));
  environment_.clear();
  environment_["HOME"] = home_.string();
  environment_["DOCKER_CONTEXT"] = "t";
  write_context("t", R"({"Endpoints":{"docker":{"Host":"tcp://h:2376"}}})");
  write(".docker/contexts/tls/" + sha256_hex("t") + "/docker/ca.pem", "");
  EXPECT_THAT(refusal([&] { find(); }), HasSubstr("TLS"));
}

TEST_F(EndpointSearchTest, DefaultSocketsAreTriedAndTheFirstThatAcceptsIsTaken) {
  const test::ScriptedEngine server([](const auto&) { return test::pong("1.41"); });
  fs::create_symlink(server.endpoint().path, home_ / "docker.sock");
  environment_["XDG_RUNTIME_DIR"] = home_.string();
  const auto found = find();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->source, "default socket");
  const bool system_engine = tried_.size() == 1;
  EXPECT_EQ(found->path, system_engine ? "/var/run/docker.sock" : (home_ / "docker.sock").string());
  EXPECT_THAT(tried_.front(), HasSubstr("/var/run/docker.sock"));
}

TEST(Digest, Sha256OfKnownText) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace container
