#include "controller/selector.hpp"

#include <gtest/gtest.h>

#include "controller/errors.hpp"
#include "tests/support/controller/cli_fixture.hpp"

namespace controller {
namespace {

std::vector<std::string> selected(const std::string& text) {
  const SessionView view = testing::sample_view();
  const campaign::Plan& plan = view.manifest.plan;
  const Selector selector = Selector::parse(text);
  std::vector<std::string> names;
  for (const campaign::PlannedRun& run : plan.runs) {
    const std::string id = campaign::run_id(plan, run);
    if (selector.matches({.plan = &plan, .run = &run, .state = &view.fold.run(id)}))
      names.push_back(id);
  }
  return names;
}

using Names = std::vector<std::string>;

TEST(Selector, NothingSelectsEverything) {
  EXPECT_EQ(selected("").size(), 4U);
  EXPECT_TRUE(Selector::parse("  ").empty());
}

TEST(Selector, ARunIdIsAGlob) {
  EXPECT_EQ(selected("l1.c02"), Names{"l1.c02"});
  EXPECT_EQ(selected("l9.*"), (Names{"l9.c01", "l9.c02"}));
  EXPECT_EQ(selected("l?.c01"), (Names{"l1.c01", "l9.c01"}));
}

TEST(Selector, TermsAreJoinedByAnd) {
  EXPECT_EQ(selected("level=9 cycle=1"), Names{"l9.c01"});
  EXPECT_EQ(selected("level=9 state=failed"), Names{});
}

TEST(Selector, CyclesAreNumbers) { EXPECT_EQ(selected("cycle=02"), (Names{"l1.c02", "l9.c02"})); }

TEST(Selector, StatesAndClassesAreThoseOfTheJournal) {
  EXPECT_EQ(selected("state=failed"), Names{"l1.c02"});
  EXPECT_EQ(selected("class=payload"), Names{"l1.c02"});
  EXPECT_EQ(selected("state=running"), Names{"l9.c02"});
}

TEST(Selector, AnAxisThatNoExperimentHasSelectsNothing) { EXPECT_EQ(selected("batch=1"), Names{}); }

TEST(Selector, ABadTermIsNamed) {
  for (const char* term : {"cycle=x", "cycle=0", "state=dead", "class=bad", "=1", "level="}) {
    try {
      Selector::parse(std::string("l1.* ") + term);
      FAIL() << term;
    } catch (const CommandError& error) {
      EXPECT_EQ(error.code, ExitCode::usage);
      EXPECT_NE(std::string(error.what()).find("`" + std::string(term) + "`"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace controller
