#include <sys/stat.h>
#include <unistd.h>

#include "tests/compose/compose_folder.hpp"

namespace compose {
namespace {

struct Case {
  std::string title, text, expected;
};

// "=== title", the compose file, "---- expected", the message.
std::vector<Case> read_cases() {
  std::vector<Case> cases;
  std::ifstream file(TEST_DATA_DIR "/compose/malformed.txt");
  bool message = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("=== ")) {
      cases.push_back({line.substr(4), "", ""});
      message = false;
    } else if (line == "---- expected") {
      message = true;
    } else if (message) {
      cases.back().expected += (cases.back().expected.empty() ? "" : "\n") + line;
    } else {
      cases.back().text += line + "\n";
    }
  }
  return cases;
}

std::string without(std::string text, const std::string& part) {
  for (std::size_t at = 0; (at = text.find(part)) != text.npos;) text.erase(at, part.size());
  return text;
}

std::string error_of_text(const std::string& text) {
  const ComposeFolder folder;
  folder.write("compose.yaml", text);
  return without(error_of(folder.request()), folder.path() + "/");
}

TEST(MalformedCompose, GivesTheMessageOfTheTable) {
  const std::vector<Case> cases = read_cases();
  ASSERT_GE(cases.size(), 140u);
  for (const Case& one : cases) EXPECT_EQ(error_of_text(one.text), one.expected) << one.title;
}

TEST(MalformedCompose, NoFileIsNamedWithWhatToDo) {
  const ComposeFolder folder;
  EXPECT_EQ(error_of(folder.request()),
            folder.path() + ": no compose.yaml here or above; name a file with -f");
}

TEST(MalformedCompose, MissingFileFolderAndDeviceAreNamed) {
  const ComposeFolder folder;
  std::filesystem::create_directory(folder / "dir");
  LoadRequest request = folder.request();
  request.files = {"none.yaml"};
  EXPECT_EQ(error_of(request), "none.yaml: no such file");
  request.files = {"dir"};
  EXPECT_EQ(error_of(request), "dir: is a folder; give the file in it");
  request.files = {"/dev/null"};
  EXPECT_EQ(error_of(request), "/dev/null: is not a regular file");
}

TEST(MalformedCompose, HugeFileIsRefused) {
  EXPECT_EQ(error_of_text("services: {}\n" + std::string(9 << 20, '#')),
            "compose.yaml: is larger than 8 MiB; this is no compose file");
}

TEST(MalformedCompose, WhatIsNoTextIsRefusedAtItsByte) {
  EXPECT_EQ(error_of_text("a: \xff"),
            "compose.yaml:1:4: byte 0xff is not valid UTF-8; save the file as UTF-8");
  EXPECT_EQ(error_of_text(std::string("a: b\nc\x01")),
            "compose.yaml:2:2: control character 0x01; this is not a text file");
}

TEST(MalformedCompose, DepthAndExpansionHaveBounds) {
  EXPECT_EQ(
      error_of_text("x-a: " + std::string(70, '[') + std::string(70, ']')),
      "compose.yaml:1:69: x-a" +
          [] {
            std::string indices;
            for (int i = 0; i < 63; ++i) indices += "[0]";
            return indices;
          }() +
          ": nested deeper than 64 levels");
  std::string bomb = "x-0: &a0 [" + std::string(200, ' ') + "x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string alias = "*a" + std::to_string(i - 1);
    bomb += "x-" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + alias;
    for (int j = 0; j < 9; ++j) bomb += ", " + alias;
    bomb += "]\n";
  }
  EXPECT_NE(error_of_text(bomb).find("aliases expand to more than 64 MiB"), std::string::npos);
}

TEST(MalformedCompose, ProjectNamesThatWereGivenAreChecked) {
  const ComposeFolder folder;
  folder.write("compose.yaml", "services: {a: {image: x}}\n");
  LoadRequest request = folder.request();
  request.project_name = "Not_Good";
  EXPECT_EQ(error_of(request),
            "-p: `Not_Good` is no project name; it has small letters, digits, `-` and `_`, and "
            "begins with a letter or digit");
  request.project_name.clear();
  request.environment["COMPOSE_PROJECT_NAME"] = "_x";
  EXPECT_NE(error_of(request).find("COMPOSE_PROJECT_NAME: `_x`"), std::string::npos);
}

TEST(MalformedCompose, ServiceThatIsNotThereIsNamedWithTheNearest) {
  const ComposeFolder folder;
  folder.write("compose.yaml", "services: {web: {image: x}}\n");
  LoadRequest request = folder.request();
  request.services = {"wbe"};
  EXPECT_EQ(error_of(request), "no service `wbe`; did you mean `web`?");
}

TEST(MalformedCompose, OverridesOfAnIncludedServiceBelongIntoAFileOfTheirOwn) {
  const ComposeFolder folder;
  folder.write("compose.yaml", "include: [part.yaml]\nservices: {a: {image: x}}\n");
  folder.write("part.yaml", "services: {a: {image: y}}\n");
  EXPECT_EQ(error_of(folder.request()),
            "compose.yaml:1:11: services.a: is in the included file too and differs there; "
            "override it in a file of its own with -f");
}

}  // namespace
}  // namespace compose
