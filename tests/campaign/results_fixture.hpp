// A results folder in a temporary place, with one attempt that a payload may be played in.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "campaign/results/results.hpp"

namespace campaign::testing {

class ResultsTest : public ::testing::Test {
 protected:
  ResultsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "results-XXXXXX").string();
    folder.folder = ::mkdtemp(name.data());
    std::filesystem::create_directories(folder.attempt(attempt));
    std::filesystem::create_directories(folder.ctl(attempt));
    request.folder = folder;
    request.attempt = attempt;
    request.collect = &collect;
    record.run = run;
    record.experiment = "tiny";
    record.state = "completed";
    record.finished_utc = 1795221780;
    outcome.exit_code = 0;
    outcome.start_mono_ns = 1'000'000'000;
    outcome.end_mono_ns = 11'000'000'000;
  }
  ~ResultsTest() override {
    std::error_code error;
    std::filesystem::remove_all(folder.folder, error);
  }

  static void write(const std::filesystem::path& path, const std::string& content) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }
  static std::string text(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void payload(const std::string& name, const std::string& content) {
    write(folder.attempt(attempt) / name, content);
  }
  void control(const std::string& name, const std::string& content) {
    write(folder.ctl(attempt) / name, content);
  }
  Verdict verify() { return verify_attempt(request, &outcome); }
  void metric(MetricSpec::Source source, const std::string& where) {
    collect.metrics.push_back({.name = "m" + std::to_string(collect.metrics.size()),
                               .source = source,
                               .where = where,
                               .unit = "",
                               .better = Direction::unspecified,
                               .primary = false});
  }

  const std::string run = "tiny.c01";
  const std::string attempt = "tiny.c01.a1";
  ResultsFolder folder;
  Collect collect;
  CollectRequest request;
  RunRecord record;
  Outcome outcome;
};

}  // namespace campaign::testing
