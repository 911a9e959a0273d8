#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

#include "tests/campaign/config_folder.hpp"

namespace campaign {
namespace {

struct Case {
  std::string title, text, expected;
};

// "=== title", the campaign file, "---- expected", the message. "@base" stands for three good
// lines.
std::vector<Case> read_cases() {
  std::vector<Case> cases;
  std::ifstream file(TEST_DATA_DIR "/config/malformed.txt");
  bool message = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("=== ")) {
      cases.push_back({line.substr(4), "", ""});
      message = false;
    } else if (line == "---- expected") {
      message = true;
    } else if (message) {
      cases.back().expected += (cases.back().expected.empty() ? "" : "\n") + line;
    } else if (line == "@base") {
      cases.back().text += "name: x\naxes: {a: [1]}\nrunner: {type: local, command: 'true'}\n";
    } else {
      cases.back().text += line + "\n";
    }
  }
  return cases;
}

TEST(MalformedCampaign, GivesTheMessageOfTheTable) {
  const std::vector<Case> cases = read_cases();
  ASSERT_GE(cases.size(), 60u);
  for (const Case& one : cases) {
    const Folder folder;
    EXPECT_EQ(load_error(folder, one.text), one.expected) << one.title;
  }
}

std::string error_of_path(const Folder& folder, const std::string& path) {
  return error_of(folder, [&] {
    load_campaign({.path = path, .sets = {}, .environment = {}, .document = {}});
  });
}

TEST(MalformedCampaign, MissingFileFolderAndDeviceAreNamed) {
  const Folder folder;
  std::filesystem::create_directory(folder / "dir");
  EXPECT_EQ(error_of_path(folder, folder / "none.yaml"), "none.yaml: no such file");
  EXPECT_EQ(error_of_path(folder, folder / "dir"), "dir: is a folder; give the file in it");
  EXPECT_EQ(error_of_path(folder, "/dev/null"), "/dev/null: is not a regular file");
  EXPECT_EQ(error_of_path(folder, folder / "dir/x/campaign.yaml"),
            "dir/x/campaign.yaml: no such file");
}

TEST(MalformedCampaign, UnreadableFileIsNamed) {
  const Folder folder;
  const std::string path = folder.write("locked.yaml", "name: x\n");
  const std::string loop = folder / "loop.yaml";
  ASSERT_EQ(symlink("loop.yaml", loop.c_str()), 0);
  EXPECT_EQ(error_of_path(folder, loop),
            "loop.yaml: cannot be read: Too many levels of symbolic links");
  ASSERT_EQ(chmod(path.c_str(), 0), 0);
  if (geteuid() != 0)
    EXPECT_EQ(error_of_path(folder, path), "locked.yaml: cannot be read: Permission denied");
}

TEST(MalformedCampaign, HugeFileIsRefused) {
  const Folder folder;
  const std::string text = "name: x\n" + std::string(9 << 20, '#');
  EXPECT_EQ(load_error(folder, text),
            "campaign.yaml: is larger than 8 MiB; this is no campaign or config file");
}

TEST(MalformedCampaign, BinaryIsRefusedWithItsPlace) {
  const Folder folder;
  EXPECT_EQ(load_error(folder, std::string("name: x\n\x7f"
                                           "ELF\0",
                                           13)),
            "campaign.yaml:2:1: control character 0x7f; this is not a text file");
  EXPECT_EQ(load_error(folder, std::string("a: \0", 4)),
            "campaign.yaml:1:4: control character 0x00; this is not a text file");
  EXPECT_EQ(load_error(folder, "name: caf\xe9\n"),
            "campaign.yaml:1:10: byte 0xe9 is not valid UTF-8; save the file as UTF-8");
  EXPECT_EQ(load_error(folder, std::string("\xff\xfen\0", 4)),
            "campaign.yaml:1:1: byte 0xff is not valid UTF-8; save the file as UTF-8");
}

TEST(MalformedCampaign, ByteOrderMarkAndCarriageReturnsAreAccepted) {
  const Folder folder;
  const std::string text =
      "\xef\xbb\xbfname: x\r\naxes: {a: [1]}\r\nrunner: {type: local, command: 'true'}\r\n";
  EXPECT_EQ(load(folder, text).name, "x");
}

TEST(MalformedCampaign, DeepNestingIsRefused) {
  const Folder folder;
  EXPECT_EQ(
      load_error(folder, "set: " + std::string(100, '[') + std::string(100, ']')),
      "campaign.yaml:1:69: set" +
          [] {
            std::string path;
            for (int i = 0; i < 63; ++i) path += "[0]";
            return path;
          }() +
          ": nested deeper than 64 levels");
  std::string block;
  for (int i = 0; i < 70; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_NE(load_error(folder, block).find("nested deeper than 64 levels"), std::string::npos);
}

TEST(MalformedCampaign, BillionLaughsAreStopped) {
  const Folder folder;
  std::string text = "a: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "b" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) text += (j ? ", " : "") + before;
    text += "]\n";
  }
  EXPECT_EQ(load_error(folder, text),
            "campaign.yaml:6:20: b5[2]: aliases expand to more than 64 MiB");
}

TEST(MalformedCampaign, ManyErrorsComeInTheOrderOfTheFile) {
  const Folder folder;
  EXPECT_EQ(load_error(folder, "nam: x\nrunner: 3\naxes: {a: 1}\nname: x\nname: y\n"),
            "campaign.yaml:1:1: nam: unknown key; did you mean `name`?\n"
            "campaign.yaml:2:9: runner: expected a map of keys, not 3\n"
            "campaign.yaml:3:11: axes.a: expected a list of values, not 1\n"
            "campaign.yaml:5:1: name: duplicate key; it stands already in line 4");
}

}  // namespace
}  // namespace campaign
