// A telemetry.jsonl that a test writes line by line, and what it comes to.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "campaign/metrics/telemetry.hpp"
#include "tests/campaign/config_folder.hpp"

namespace campaign {

inline constexpr std::int64_t ns = 1'000'000'000;
inline constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

inline std::int64_t at(double seconds) { return static_cast<std::int64_t>(seconds * ns); }

class TelemetryFigures : public ::testing::Test {
 protected:
  TelemetryFigures() {
    header_ = {.run = "a.c01.a1", .boot = "b", .interval_ms = 100, .utc = 5, .mono_ns = at(10)};
    request_ = {.file = folder_ / "telemetry.jsonl",
                .window = {.seconds = 1, .begin_ns = at(10), .end_ns = at(11)}};
  }
  void column(TelemetryColumn column) { header_.columns.push_back(std::move(column)); }
  void counter(const std::string& name) {
    column({.name = name, .unit = "s", .counter = true, .from_zero = true});
  }
  void level(const std::string& name) { column({.name = name, .unit = "B"}); }
  void begin() { append_telemetry(text_, header_); }
  void row(double seconds, std::vector<double> values, std::optional<double> late = {}) {
    TelemetryRow line{.mono_ns = at(seconds), .late_ns = {}, .values = values};
    if (late) line.late_ns = at(*late);
    append_telemetry(text_, line);
  }
  // Ten samples a second, each as `value` says.
  template <class Value>
  void rows(double from, double until, Value value) {
    for (int i = 0; from + i * 0.1 <= until + 1e-9; ++i)
      row(from + i * 0.1, {static_cast<double>(value(from + i * 0.1))}, 0.0);
  }
  void end(TelemetryEnd how = {}) { append_telemetry(text_, how); }
  TelemetryReading read() {
    std::ofstream(request_.file) << text_;
    return read_telemetry(request_);
  }
  std::optional<double> metric(const std::string& name) {
    for (const MetricValue& each : telemetry_metrics(read()))
      if (each.name == name) return each.value;
    return std::nullopt;
  }

  Folder folder_;
  TelemetryHeader header_;
  TelemetryRequest request_;
  std::string text_;
};

}  // namespace campaign
