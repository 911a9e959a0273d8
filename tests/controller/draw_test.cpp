#include "controller/draw.hpp"

#include <gtest/gtest.h>

#include <ctime>

namespace controller {
namespace {

using campaign::Event;
using campaign::FailureClass;
using campaign::Structure;
namespace event = campaign::event;

// A plan without a campaign, and a fold that is fed as a controller feeds it.
class Draw : public ::testing::Test {
 protected:
  void plan(Structure structure, std::uint32_t experiments, std::int32_t cycles) {
    for (std::uint32_t i = 0; i < experiments; ++i) {
      campaign::Experiment experiment;
      experiment.name =
          experiments > 26 ? "e" + std::to_string(i) : std::string(1, static_cast<char>('a' + i));
      plan_.experiments.push_back(std::move(experiment));
    }
    plan_.runs = campaign::order_runs(
        {.structure = structure, .count = experiments, .cycles = cycles, .seed = 7});
  }

  void tell(Event what) {
    campaign::apply(
        fold_, {.seq = ++seq_, .writer = "host-1-boot-1", .boot = "b", .event = std::move(what)});
  }

  void begin(const std::string& run, int attempt = 1) {
    tell(event::Claimed{.run = run, .attempt = attempt, .container = "c", .host = "host"});
    tell(event::Starting{.run = run, .attempt = attempt, .container_id = "id"});
  }

  void complete(const std::string& run, int attempt = 1) {
    begin(run, attempt);
    tell(event::Completed{.run = run, .attempt = attempt});
  }

  void fail(const std::string& run, std::optional<double> retry_at, int attempt = 1) {
    begin(run, attempt);
    tell(event::Failed{.run = run,
                       .attempt = attempt,
                       .cls = FailureClass::infra,
                       .retry_not_before_utc = retry_at,
                       .final = !retry_at});
  }

  // One worker that completes everything it draws.
  std::string drawn_one_by_one(DrawOrder& order) {
    std::string text;
    for (Drawn next; (next = order.next({}, 0, false)).kind == Drawn::Kind::run;) {
      text += (text.empty() ? "" : " ") + order.id(next.index);
      complete(order.id(next.index));
    }
    return text;
  }

  campaign::Plan plan_;
  campaign::Fold fold_;
  std::int64_t seq_ = 0;
};

using Kind = Drawn::Kind;

TEST_F(Draw, InterleavedIsDrawnInPlanOrder) {
  plan(Structure::interleaved, 3, 2);
  DrawOrder order(plan_, fold_, {});
  EXPECT_EQ(drawn_one_by_one(order), "a.c01 b.c01 c.c01 a.c02 b.c02 c.c02");
}

TEST_F(Draw, EveryStructureIsDrawnInPlanOrderAndWhole) {
  for (const Structure structure :
       {Structure::shuffled, Structure::interleaved, Structure::grouped, Structure::balanced}) {
    plan_ = {};
    fold_ = {};
    seq_ = 0;
    plan(structure, 4, 3);
    DrawOrder order(plan_, fold_, {.by_experiment = structure == Structure::grouped});
    std::string expected;
    for (const auto& run : plan_.runs)
      expected += (expected.empty() ? "" : " ") + campaign::run_id(plan_, run);
    EXPECT_EQ(drawn_one_by_one(order), expected);
    EXPECT_EQ(order.next({}, 0, false).kind, Kind::done);
  }
}

TEST_F(Draw, RetryComesAtTheEndOfItsOwnCycleAfterItsBackoff) {
  plan(Structure::interleaved, 3, 2);
  DrawOrder order(plan_, fold_, {});
  fail("a.c01", 100.0);
  EXPECT_EQ(order.id(order.next({}, 200, false).index), "b.c01")
      << "others first, even when it is due";
  complete("b.c01");
  complete("c.c01");
  const Drawn waiting = order.next({}, 99, false);
  EXPECT_EQ(waiting.kind, Kind::wait_until);
  EXPECT_EQ(waiting.until_utc, 100.0);
  const Drawn due = order.next({}, 100, false);
  EXPECT_EQ(due.kind, Kind::run);
  EXPECT_EQ(order.id(due.index), "a.c01");
  complete("a.c01", 2);
  EXPECT_EQ(order.id(order.next({}, 100, false).index), "a.c02");
}

TEST_F(Draw, EarliestRetryOfACycleIsFirst) {
  plan(Structure::interleaved, 3, 1);
  DrawOrder order(plan_, fold_, {});
  fail("a.c01", 300.0);
  fail("b.c01", 100.0);
  fail("c.c01", 200.0);
  EXPECT_EQ(order.id(order.next({}, 150, false).index), "b.c01");
  EXPECT_EQ(order.next({1}, 150, false).until_utc, 200.0);
}

TEST_F(Draw, FinalFailureIsDone) {
  plan(Structure::interleaved, 1, 1);
  DrawOrder order(plan_, fold_, {});
  fail("a.c01", std::nullopt);
  EXPECT_EQ(order.next({}, 1e9, false).kind, Kind::done);
}

TEST_F(Draw, InterruptedIsDrawnAgain) {
  plan(Structure::interleaved, 1, 1);
  DrawOrder order(plan_, fold_, {});
  begin("a.c01");
  tell(event::Interrupted{.run = "a.c01", .attempt = 1, .reason = "signal"});
  EXPECT_EQ(order.next({}, 0, false).kind, Kind::run);
}

TEST_F(Draw, BarrierWaitsForTheRunsOfTheCycle) {
  plan(Structure::interleaved, 2, 2);
  DrawOrder order(plan_, fold_, {.barrier = true});
  complete("a.c01");
  EXPECT_EQ(order.next({1}, 0, false).kind, Kind::wait_others);
  complete("b.c01");
  const Drawn next = order.next({}, 0, false);
  EXPECT_EQ(order.id(next.index), "a.c02");
  EXPECT_FALSE(next.next_round);
}

TEST_F(Draw, WithoutABarrierTheNextCycleBeginsWhileTheLastRunsWork) {
  plan(Structure::interleaved, 2, 2);
  DrawOrder order(plan_, fold_, {.barrier = false});
  EXPECT_EQ(order.id(order.next({0, 1}, 0, false).index), "a.c02");
  EXPECT_TRUE(order.next({0, 1}, 0, false).next_round);
}

TEST_F(Draw, WithoutABarrierARetryIsNotWaitedFor) {
  plan(Structure::interleaved, 2, 2);
  DrawOrder order(plan_, fold_, {.barrier = false});
  fail("a.c01", 100.0);
  complete("b.c01");
  EXPECT_EQ(order.id(order.next({}, 50, false).index), "a.c02");
  EXPECT_EQ(order.id(order.next({}, 100, false).index), "a.c01");
}

TEST_F(Draw, LookAheadCrossesOneBarrierOnly) {
  plan(Structure::interleaved, 2, 3);
  DrawOrder order(plan_, fold_, {.barrier = true});
  EXPECT_EQ(order.id(order.next({0, 1}, 0, true).index), "a.c02");
  EXPECT_TRUE(order.next({0, 1}, 0, true).next_round);
  EXPECT_EQ(order.next({0, 1, 2, 3}, 0, true).kind, Kind::wait_others);
}

TEST_F(Draw, GroupedRoundsAreExperiments) {
  plan(Structure::grouped, 2, 3);
  DrawOrder order(plan_, fold_, {.barrier = true, .by_experiment = true});
  fail("a.c01", 100.0);
  complete("a.c02");
  complete("a.c03");
  EXPECT_EQ(order.next({}, 50, false).kind, Kind::wait_until) << "b waits for all of a";
  EXPECT_EQ(order.id(order.next({}, 100, false).index), "a.c01");
  complete("a.c01", 2);
  EXPECT_EQ(drawn_one_by_one(order), "b.c01 b.c02 b.c03");
}

TEST_F(Draw, SeveralWorkersDrawEachRunOnce) {
  plan(Structure::shuffled, 5, 4);
  DrawOrder order(plan_, fold_, {.barrier = false});
  std::set<std::size_t> in_flight, seen;
  for (int step = 0; step < 100; ++step) {
    const Drawn next = order.next(in_flight, 0, false);
    if (next.kind == Kind::run) {
      EXPECT_TRUE(seen.insert(next.index).second) << order.id(next.index) << " was drawn twice";
      in_flight.insert(next.index);
    }
    if (in_flight.size() < 3 && next.kind == Kind::run) continue;
    if (in_flight.empty()) break;
    complete(order.id(*in_flight.begin()));
    in_flight.erase(in_flight.begin());
  }
  EXPECT_EQ(seen.size(), 20u);
  EXPECT_EQ(order.next({}, 0, false).kind, Kind::done);
}

TEST_F(Draw, OnlySelectedRunsAreDrawn) {
  plan(Structure::interleaved, 3, 2);
  DrawOrder order(plan_, fold_, {});
  order.select_only({1, 5});
  EXPECT_EQ(drawn_one_by_one(order), "b.c01 c.c02");
}

TEST_F(Draw, EmptyPlanIsDone) {
  DrawOrder order(plan_, fold_, {});
  EXPECT_EQ(order.next({}, 0, false).kind, Kind::done);
}

// Of processor time, so that a busy machine does not count.
double seconds_to_draw_all(DrawOrder& order,
                           const std::function<void(const std::string&)>& complete) {
  const std::clock_t begin = std::clock();
  for (Drawn next; (next = order.next({}, 0, false)).kind == Kind::run;)
    complete(order.id(next.index));
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

TEST_F(Draw, HundredThousandRunsOfManyCyclesAreQuick) {
  plan(Structure::shuffled, 100, 1000);
  DrawOrder order(plan_, fold_, {});
  EXPECT_LT(seconds_to_draw_all(order, [&](const std::string& run) { complete(run); }), 20);
  EXPECT_EQ(fold_.runs.size(), 100'000u);
}

TEST_F(Draw, HundredThousandRunsOfOneCycleBehindARetryAreQuick) {
  plan(Structure::shuffled, 100'000, 1);
  DrawOrder order(plan_, fold_, {});
  fail(campaign::run_id(plan_, plan_.runs.front()), 1e9);
  EXPECT_LT(seconds_to_draw_all(order, [&](const std::string& run) { complete(run); }), 20);
  EXPECT_EQ(order.next({}, 0, false).kind, Kind::wait_until);
}

}  // namespace
}  // namespace controller
