#include "container/ephemeral.hpp"

#include <gtest/gtest.h>

namespace container {
namespace {

TEST(ParseEngineTime, ReadsWhatEnginesWrite) {
  EXPECT_DOUBLE_EQ(parse_engine_time("1970-01-01T00:00:10Z"), 10);
  EXPECT_NEAR(parse_engine_time("2026-11-21T00:43:00.123456789Z"), 1795221780.123457, 1e-5);
  EXPECT_DOUBLE_EQ(parse_engine_time("1970-01-01T02:00:00+02:00"), 0);
  EXPECT_DOUBLE_EQ(parse_engine_time("1970-01-01T00:00:00-01:30"), 5400);
}

TEST(ParseEngineTime, NeverAndNonsenseAreZero) {
  for (const char* text : {"0001-01-01T00:00:00Z", "", "yesterday", "2026-11-21", "2026-11-21T"})
    EXPECT_EQ(parse_engine_time(text), 0) << text;
}

ContainerState state(ContainerStatus status, int code = 0, const std::string& error = "") {
  return {
      .status = status, .exit_code = code, .error = error, .started_at = "2026-11-21T00:00:00Z"};
}

TEST(EndingOf, StatusesBecomeKinds) {
  using Kind = Ending::Kind;
  EXPECT_EQ(ending_of(state(ContainerStatus::exited, 3)).kind, Kind::exited);
  EXPECT_EQ(ending_of(state(ContainerStatus::exited, 3)).exit_code, 3);
  EXPECT_EQ(ending_of(state(ContainerStatus::dead, 137)).kind, Kind::exited);
  EXPECT_EQ(ending_of(state(ContainerStatus::created)).kind, Kind::running);
  EXPECT_EQ(ending_of(state(ContainerStatus::created, 127, "no such file")).kind,
            Kind::start_failed);
  for (const auto status : {ContainerStatus::running, ContainerStatus::paused,
                            ContainerStatus::restarting, ContainerStatus::removing})
    EXPECT_EQ(ending_of(state(status)).kind, Kind::running);
}

}  // namespace
}  // namespace container
