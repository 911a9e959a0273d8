#include "controller/locate.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "campaign/state/files.hpp"
#include "campaign/state/journal.hpp"
#include "controller/errors.hpp"
#include "tests/support/controller/cli_fixture.hpp"

namespace controller {
namespace {

namespace fs = std::filesystem;
using testing::make_session;

class Locate : public ::testing::Test {
 protected:
  void SetUp() override { setenv("XDG_STATE_HOME", (folder_.path() + "/xdg").c_str(), 1); }
  void TearDown() override { unsetenv("XDG_STATE_HOME"); }

  LocateRequest from(const std::string& campaign, const std::string& cwd = "") const {
    return {.campaign = campaign, .state_dir = "", .cwd = folder_.path() + cwd};
  }
  std::string session_of(const LocateRequest& request) const {
    return locate(request).session.folder.lexically_relative(folder_.path()).string();
  }
  void finish(const std::string& campaign_id, const std::string& session) const {
    campaign::Journal::create(
        fs::path(folder_.path()) / ".state" / campaign_id / session / "journal",
        campaign::system_clock())
        ->append({campaign::event::SessionStarted{"u", session, campaign_id, ""},
                  campaign::event::Finished{0}});
  }
  std::string state() const { return folder_.path() + "/.state"; }

  testing::Folder folder_;
};

TEST_F(Locate, TheOnlyCampaignNeedsNoName) {
  make_session(state(), "a", "20260101T000000Z");
  EXPECT_EQ(session_of(from("")), ".state/a/20260101T000000Z");
}

TEST_F(Locate, TheNearestStateUpwardsCounts) {
  make_session(state(), "outer", "20260101T000000Z");
  make_session(folder_.path() + "/x/.state", "inner", "20250101T000000Z");
  fs::create_directories(folder_.path() + "/x/y/z");
  EXPECT_EQ(locate(from("", "/x/y/z")).campaign_id, "inner");
  EXPECT_EQ(locate(from("outer", "/x/y/z")).campaign_id, "outer");
}

TEST_F(Locate, OfSeveralTheNewestUnfinishedOneIsMeant) {
  make_session(state(), "a", "20260101T000000Z");
  make_session(state(), "b", "20260102T000000Z");
  make_session(state(), "c", "20260103T000000Z");
  finish("c", "20260103T000000Z");
  EXPECT_EQ(locate(from("")).campaign_id, "b");
}

TEST_F(Locate, SeveralFinishedOnesMustBeNamed) {
  for (const char* id : {"a", "b"}) {
    make_session(state(), id, "20260101T000000Z");
    finish(id, "20260101T000000Z");
  }
  try {
    locate(from(""));
    FAIL();
  } catch (const CommandError& error) {
    EXPECT_EQ(error.code, ExitCode::usage);
    EXPECT_NE(std::string(error.what()).find(".state/a"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find(".state/b"), std::string::npos);
  }
}

TEST_F(Locate, ACampaignFolderAStateFolderAndASessionAreNames) {
  make_session(state(), "a", "20260101T000000Z");
  make_session(state(), "a", "20260102T000000Z");
  EXPECT_EQ(session_of(from(".state")), ".state/a/20260102T000000Z");
  EXPECT_EQ(session_of(from(".state/a/")), ".state/a/20260102T000000Z");
  EXPECT_EQ(session_of(from(".state/a/20260101T000000Z")), ".state/a/20260101T000000Z");
}

TEST_F(Locate, TheLinkLatestWinsOverTheNewestName) {
  make_session(state(), "a", "20260101T000000Z");
  make_session(state(), "a", "20260102T000000Z");
  fs::create_directory_symlink("20260101T000000Z", state() + "/a/latest");
  EXPECT_EQ(session_of(from("a")), ".state/a/20260101T000000Z");
}

TEST_F(Locate, AnIdIsReadWithoutItsCase) {
  make_session(state(), "a", "20260101T000000Z");
  EXPECT_EQ(locate(from("A")).campaign_id, "a");
}

TEST_F(Locate, ACampaignFileSaysWhereItsStateIs) {
  folder_.write("c.yaml",
                "name: A\naxes: {n: [1]}\nrunner: {type: local, command: [\"true\"]}\n"
                "io: {state_dir: elsewhere}\n");
  make_session(folder_.path() + "/elsewhere", "a", "20260101T000000Z");
  EXPECT_EQ(session_of(from("c.yaml")), "elsewhere/a/20260101T000000Z");
}

TEST_F(Locate, TheIndexKnowsCampaignsThatWereStartedElsewhere) {
  make_session(folder_.path() + "/far/.state", "a", "20260101T000000Z");
  fs::create_directories(folder_.path() + "/here");
  remember(locate(from("far/.state")), std::string(32, 'f'));
  EXPECT_EQ(locate(from("", "/here")).campaign_id, "a");
  EXPECT_EQ(locate(from("a", "/here")).campaign_id, "a");
}

TEST_F(Locate, ADeadLinkOfTheIndexIsIgnored) {
  make_session(folder_.path() + "/far/.state", "a", "20260101T000000Z");
  remember(locate(from("far/.state")), std::string(32, 'f'));
  fs::remove_all(folder_.path() + "/far");
  EXPECT_TRUE(locate_all(from("")).empty());
}

TEST_F(Locate, WhatIsSaidOutrightIsNotLookedForElsewhere) {
  make_session(state(), "a", "20260101T000000Z");
  make_session(folder_.path() + "/other", "b", "20260101T000000Z");
  LocateRequest request = from("");
  request.state_dir = "other";
  EXPECT_EQ(locate(request).campaign_id, "b");
  request.campaign = "a";
  EXPECT_THROW(locate(request), CommandError);
}

TEST_F(Locate, NothingFoundSaysWhereItLooked) {
  try {
    locate(from(""));
    FAIL();
  } catch (const CommandError& error) {
    EXPECT_NE(std::string(error.what()).find(folder_.path()), std::string::npos);
  }
}

}  // namespace
}  // namespace controller
