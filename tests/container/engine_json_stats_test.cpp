#include <gtest/gtest.h>

#include "container/engine_json.hpp"

namespace container {
namespace {

// As an engine on control groups of version 1 answers.
constexpr char version_1[] =
    R"({"read":"2026-03-27T06:20:33.20539672Z","preread":"0001-01-01T00:00:00Z",
"pids_stats":{"current":2},"num_procs":0,"storage_stats":{},
"blkio_stats":{"io_service_bytes_recursive":[{"major":8,"minor":0,"op":"Read","value":4096},
 {"major":8,"minor":0,"op":"Write","value":512},{"major":8,"minor":0,"op":"Total","value":4608},
 {"major":8,"minor":16,"op":"Read","value":1024}],"io_serviced_recursive":[]},
"cpu_stats":{"cpu_usage":{"total_usage":1500000000,"percpu_usage":[0,1500000000],
 "usage_in_kernelmode":10000000,"usage_in_usermode":1490000000},"system_cpu_usage":10565810000000,
 "online_cpus":2,"throttling_data":{"periods":9,"throttled_periods":5,"throttled_time":250000000}},
"precpu_stats":{"cpu_usage":{"total_usage":0}},
"memory_stats":{"usage":446464,"max_usage":4063232,"stats":{"cache":122880,"inactive_file":1,
 "rss":53248,"total_inactive_file":46464},"limit":25276510208},"name":"/n","id":"i",
"networks":{"eth0":{"rx_bytes":310,"tx_bytes":7},"eth1":{"rx_bytes":1000,"tx_bytes":3}}})";

// Version 2: no high-water mark, other names below memory_stats.stats, operations in small letters.
constexpr char version_2[] =
    R"({"read":"2026-03-27T06:20:33Z","pids_stats":{"current":3,"limit":18446744073709551615},
"blkio_stats":{"io_service_bytes_recursive":[{"major":259,"minor":0,"op":"read","value":8192},
 {"major":259,"minor":0,"op":"write","value":16384}],"io_serviced_recursive":null},
"cpu_stats":{"cpu_usage":{"total_usage":2000000,"usage_in_kernelmode":0,"usage_in_usermode":2000000},
 "online_cpus":8,"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},
"memory_stats":{"usage":10485760,"stats":{"anon":4096,"file":6291456,"inactive_file":2097152},
 "limit":33554432}})";

TEST(EngineJsonStats, OfVersion1AreReadWithAllTheirFields) {
  const auto stats = engine_json::stats(version_1);
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->cpu_seconds, 1.5);
  EXPECT_EQ(stats->cpu_throttled_seconds, 0.25);
  EXPECT_EQ(stats->memory_bytes, 400000) << "less the cache of the whole group";
  EXPECT_EQ(stats->memory_max_bytes, 4063232);
  EXPECT_EQ(stats->read_bytes, 5120);
  EXPECT_EQ(stats->written_bytes, 512);
  EXPECT_EQ(stats->received_bytes, 1310);
  EXPECT_EQ(stats->sent_bytes, 10);
  EXPECT_EQ(stats->pids, 2);
}

TEST(EngineJsonStats, OfVersion2HaveNoHighWaterMarkAndWithoutANetworkNoBytes) {
  const auto stats = engine_json::stats(version_2);
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->cpu_seconds, 0.002);
  EXPECT_EQ(stats->cpu_throttled_seconds, 0);
  EXPECT_EQ(stats->memory_bytes, 8388608);
  EXPECT_EQ(stats->memory_max_bytes, std::nullopt);
  EXPECT_EQ(stats->read_bytes, 8192);
  EXPECT_EQ(stats->written_bytes, 16384);
  EXPECT_EQ(stats->received_bytes, std::nullopt);
  EXPECT_EQ(stats->sent_bytes, std::nullopt);
  EXPECT_EQ(stats->pids, 3);
}

TEST(EngineJsonStats, OfAContainerThatDoesNotRunAreNone) {
  EXPECT_FALSE(engine_json::stats(
      R"({"read":"0001-01-01T00:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":0}}})"));
  EXPECT_FALSE(engine_json::stats("{}"));
  EXPECT_THROW(engine_json::stats("{\"read\":"), EngineError);
}

TEST(EngineJsonStats, WhatIsMissingOrNullIsUnknownAndNeverZero) {
  const auto stats = engine_json::stats(
      R"({"read":"2026-03-27T06:20:33Z","memory_stats":{},"networks":null,
"blkio_stats":{"io_service_bytes_recursive":[]},"cpu_stats":{"cpu_usage":{"total_usage":null}}})");
  ASSERT_TRUE(stats);
  for (const auto& value : {stats->cpu_seconds, stats->cpu_throttled_seconds, stats->memory_bytes,
                            stats->memory_max_bytes, stats->read_bytes, stats->written_bytes,
                            stats->received_bytes, stats->sent_bytes, stats->pids})
    EXPECT_EQ(value, std::nullopt);
}

}  // namespace
}  // namespace container
