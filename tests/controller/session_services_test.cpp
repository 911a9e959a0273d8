// What a session tells of its services: notes for people, and the list in a sign of life.
#include "controller/session_services.hpp"

#include <gmock/gmock.h>

#include "controller/supervise/async_executor.hpp"
#include "tests/support/controller/supervision.hpp"

namespace controller {
namespace {

using supervise::Step;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Notes : public QuietProgress {
 public:
  void note(const std::string& line) override { lines.push_back(line); }
  std::vector<std::string> lines;
};

class ServiceNotesTest : public ::testing::Test {
 protected:
  void tell(const std::string& supervisor, const std::string& service, const Step& step) {
    notes_({.supervisor = supervisor, .service = service, .step = step, .text = {}});
  }
  Notes seen_;
  ServiceNotes notes_{&seen_};
};

TEST_F(ServiceNotesTest, OneThatFailsIsToldOnceAndThatItIsBack) {
  const Step failed{.what = Step::What::back_off, .cause = "exit code 3", .delay = 1.5};
  tell("box", "box", failed);
  tell("box", "box", failed);
  EXPECT_THAT(seen_.lines, ElementsAre("box: exit code 3; begun again in 1.5 s"));
  tell("box", "box", {.what = Step::What::running});
  tell("box", "box", failed);
  EXPECT_THAT(seen_.lines, ElementsAre("box: exit code 3; begun again in 1.5 s", "box: back",
                                       "box: exit code 3; begun again in 1.5 s"));
}

TEST_F(ServiceNotesTest, NoTimeIsToldOfOneThatIsBegunAgainAtOnce) {
  tell("box", "box", {.what = Step::What::back_off, .cause = "exit code 3"});
  EXPECT_THAT(seen_.lines, ElementsAre("box: exit code 3; begun again"));
}

TEST_F(ServiceNotesTest, ServicesOfOneSupervisorFailEachForItself) {
  const Step failed{.what = Step::What::back_off, .cause = "cut", .delay = 2};
  tell("engine events", "events", failed);
  tell("engine events", "other", failed);
  tell("engine events", "events", {.what = Step::What::running});
  EXPECT_THAT(seen_.lines, ElementsAre("engine events, events: cut; begun again in 2 s",
                                       "engine events, other: cut; begun again in 2 s",
                                       "engine events, events: back"));
}

TEST_F(ServiceNotesTest, WhatGivesUpOrDoesNotDieIsTold) {
  tell("box", "", {.what = Step::What::give_up, .cause = "2 restarts in 60 s"});
  tell("box", "box", {.what = Step::What::lost, .cause = "does not die"});
  EXPECT_THAT(seen_.lines, ElementsAre("box: given up: 2 restarts in 60 s", "box: does not die"));
}

TEST_F(ServiceNotesTest, WhatGoesAsItShouldIsNotTold) {
  using What = Step::What;
  for (const What what : {What::start, What::running, What::healthy, What::stop, What::kill,
                          What::ended, What::done, What::finished})
    tell("box", "box", {.what = what, .cause = "asked for"});
  EXPECT_THAT(seen_.lines, IsEmpty());
}

TEST(ServicesOf, SayWhoseTheyAreSinceWhenTheyRunAndHowOftenTheyWereRestarted) {
  container::test::Loop loop;
  supervise::test::Supervision supervision(loop);
  Notes seen;
  supervision.on_notice = ServiceNotes(&seen);
  int begun = 0;
  supervision.add({.name = "cctl-1-zstd-w1", .back_off = supervise::test::quick},
                  {.name = "cctl-1-zstd-w1"},
                  std::make_unique<supervise::AsyncExecutor>(
                      loop.io(),
                      [&begun](supervise::ServiceContext& context) -> Task<> {
                        if (++begun < 3) throw std::runtime_error("not yet");
                        context.ready();
                        while (!context.stopping()) co_await context.wait(1000);
                      },
                      supervise::Ready::when_told));
  supervision.until("running");
  EXPECT_THAT(seen.lines, ElementsAre("cctl-1-zstd-w1: not yet; begun again in 0.01 s",
                                      "cctl-1-zstd-w1: back"));
  const double utc = 5000;
  auto services =
      services_of(supervision.host(), {.utc = utc, .held = {{"cctl-1-zstd-w1", {"zstd", 1}}}});
  ASSERT_EQ(services.size(), 1U);
  EXPECT_EQ(services[0].name, "cctl-1-zstd-w1");
  EXPECT_EQ(services[0].service, "zstd");
  EXPECT_EQ(services[0].worker, 1);
  EXPECT_EQ(services[0].state, "running");
  EXPECT_EQ(services[0].restarts, 2);
  ASSERT_TRUE(services[0].since_utc);
  EXPECT_GT(*services[0].since_utc, utc - 60);
  EXPECT_LE(*services[0].since_utc, utc);
  supervision.shut_down();
  services = services_of(supervision.host(), {.utc = utc});
  EXPECT_EQ(services[0].worker, std::nullopt);
  EXPECT_NE(services[0].state, "running");
  EXPECT_FALSE(services[0].since_utc);
}

}  // namespace
}  // namespace controller
