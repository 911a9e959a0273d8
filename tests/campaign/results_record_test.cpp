#include <limits>
#include <stdexcept>

#include "tests/campaign/results_fixture.hpp"

namespace campaign::testing {
namespace {

void add_sampled(RunRecord& r) {
  r.window.parts = {{1, 2}, {3, 9'007'199'254'740'993}};
  r.metrics.back().sampled = true;
  r.telemetry = TelemetryRecord{.status = "partial",
                                .reason = "nobody watched",
                                .interval_ms = 100,
                                .samples = 7,
                                .missed_ticks = 1,
                                .jitter_p99_ms = 0.5,
                                .longest_gap_s = 1.5,
                                .sources = {{"payload", "cgroup v2", ""},
                                            {"rapl", "", "none"},
                                            {"gpu0", "NVML", "", "MIG-b", "GPU-a"}}};
  r.energy = EnergyRecord{.reason = "why",
                          .raw_j = 1.5,
                          .adjusted_j = 0.5,
                          .domains_j = {{"package-0", 1.5}},
                          .missing = {{"rapl", "none"}},
                          .gpus = {{"GPU-a", "counter", 2.5, 2.25, 0.125}},
                          .uncertainty_j = 0.125,
                          .stages_j = {{"measure", 1.5}},
                          .baseline_power_w = 1,
                          .baseline_method = "fresh",
                          .baseline_utc = 2,
                          .baseline_cache_age_s = 3,
                          .notes = {}};
  r.verdicts = GpuVerdicts{.held_down_s = {{"hw_thermal", 2.5}},
                           .throttled = {"hw_thermal"},
                           .foreign = {{"GPU-a", 2}},
                           .unused = {"GPU-b"},
                           .clock_drift_pct = -7.5,
                           .clock_drifted = true,
                           .unavailable = {"GPU-c: why"}};
}

RunRecord full_record() {
  RunRecord r;
  r.run = "tiny-b4.c02";
  r.experiment = "tiny-b4";
  r.backend = "vllm";
  r.hash = "abc";
  r.cycle = 2, r.attempt = 3, r.position = 4, r.worker = 5, r.block = 6;
  r.session = "20261121T004300Z", r.uid = "00ff", r.campaign_id = "demo";
  r.state = "failed", r.cls = FailureClass::oom, r.message = "out of memory";
  r.exit_code = 137, r.signal = 9, r.oom_killed = true;
  r.resumed = true, r.repeated = true;
  r.strategy = "persistent", r.container_run = 3;
  r.queue_wait = 0.1, r.started_utc = 1.5e9, r.finished_utc = 1.5e9 + 0.125, r.duration = 0.125;
  r.stages = {{"gap", 0.5}, {"measure", 1e-9}};
  r.gap_seconds = 60;
  r.window = {MeasureWindow::Source::pattern, 0.1, 9'007'199'254'740'993, 9'007'199'354'740'993};
  r.metrics = {{"tps", 0.1 + 0.2, "tok/s", Direction::higher, true},
               {"j", 1, "J", Direction::lower, false},
               {"n", 2, "", Direction::unspecified, false}};
  Outcome o;
  o.exit_code = 126, o.exec_errno = 2, o.exec_error = "No such file", o.signal = 15;
  o.start_mono_ns = 1, o.end_mono_ns = 2, o.start_boottime = 3.5, o.end_boottime = 4.5;
  o.start_utc = 5.5, o.end_utc = 6.5, o.boot = "boot", o.user_s = 7.5, o.system_s = 8.5;
  o.max_rss_kb = 9, o.window_begin_ns = 10, o.window_end_ns = 11;
  o.stdout_bytes = 12, o.stderr_bytes = 13, o.stdout_kept = 14, o.stderr_kept = 15;
  o.killed_descendants = 16;
  r.outcome = o;
  r.overlap = "gap", r.gpus = {"GPU-1"}, r.neighbours = {"a.c01", "b.c01"};
  r.image = "i:1", r.image_id = "sha256:1", r.image_identity = "2", r.engine = "docker";
  r.engine_version = "20.10", r.container_id = "c", r.host = "h";
  r.environment = EnvironmentRecord{
      .groups = {{.name = "host", .facts = {Fact::of("kernel", std::string("Linux 6.1"))}},
                 {.name = "cpu",
                  .facts = {Fact::unknown("governor", "none here"), Fact::of("min_mhz", 1e-9)}}},
      .gpus = {{.name = "GPU-a",
                .facts = {Fact::of("uuid", std::string("GPU-a")),
                          Fact::of("memory_bytes", std::int64_t{85899345920}),
                          Fact::of("persistence", true)}}}};
  r.launcher = false, r.valid = false, r.invalid_reason = "throttled";
  r.notes = {"one", "two"};
  add_sampled(r);
  return r;
}

TEST(RunRecord, ComesBackAsItWasWritten) {
  const std::string written = write_run_record(full_record());
  const RunRecord back = read_run_record(written);
  EXPECT_EQ(write_run_record(back), written);
  EXPECT_EQ(back.metrics[0].value, 0.1 + 0.2);
  EXPECT_EQ(back.window.begin_ns, 9'007'199'254'740'993);
  EXPECT_EQ(back.outcome->exec_error, "No such file");
  EXPECT_EQ(back.outcome->window_end_ns, 11);
  EXPECT_EQ(back.outcome->stderr_kept, 15);
  EXPECT_EQ(back.signal, 9);
  EXPECT_EQ(back.metrics[1].better, Direction::lower);
  EXPECT_FALSE(back.launcher);
  EXPECT_EQ(back.window.parts, full_record().window.parts);
  EXPECT_TRUE(back.metrics[2].sampled);
  EXPECT_FALSE(back.metrics[0].sampled);
  EXPECT_EQ(back.telemetry->sources, full_record().telemetry->sources);
  EXPECT_EQ(back.telemetry->missed_ticks, 1u);
  EXPECT_EQ(back.energy->domains_j.at("package-0"), 1.5);
  EXPECT_EQ(back.environment, full_record().environment);
  EXPECT_EQ(back.energy->gpus.at(0).power_j, 2.25);
  EXPECT_EQ(back.energy->stages_j.at("measure"), 1.5);
  EXPECT_EQ(back.verdicts->held_down_s.at("hw_thermal"), 2.5);
  EXPECT_EQ(back.verdicts->foreign.at("GPU-a"), 2);
  EXPECT_EQ(back.verdicts->clock_drift_pct, -7.5);
}

TEST(RunRecord, KeepsWhatIsUnknownUnknown) {
  RunRecord record;
  record.run = "r.c01";
  record.state = "completed";
  const RunRecord back = read_run_record(write_run_record(record));
  EXPECT_FALSE(back.exit_code);
  EXPECT_FALSE(back.outcome);
  EXPECT_NE(write_run_record(record).find("\"exit_code\": null"), std::string::npos);
}

TEST(RunRecord, TruncatedAtAnyByteIsRefused) {
  const std::string written = write_run_record(full_record());
  for (std::size_t kept = 0; kept + 1 < written.size(); ++kept)
    EXPECT_THROW(read_run_record(written.substr(0, kept)), std::runtime_error) << kept;
}

TEST(RunRecord, OfAnotherSchemaOrShapeIsRefusedByName) {
  const auto problem = [](const std::string& text) -> std::string {
    try {
      read_run_record(text);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(problem("[]"), "run record: not a whole JSON object");
  EXPECT_EQ(problem(R"({"schema_version":1,"run":"a","state":"completed"})"),
            "run record: attempt is missing");
  EXPECT_NE(problem(R"({"schema_version":2,"run":"a","attempt":1,"state":"completed"})")
                .find("schema_version 2"),
            std::string::npos);
  const std::string start = R"({"schema_version":1,"run":"a","attempt":1,"state":"completed",)";
  for (const char* member :
       {R"("cycle":"x")", R"("metrics":{})", R"("stages":[])", R"("class":"sad")", R"("window":7)",
        R"("window":{"source":"moon"})", R"("outcome":[1])", R"("notes":[1])"})
    EXPECT_EQ(problem(start + member + "}").substr(0, 12), "run record: ") << member;
  EXPECT_EQ(problem(start + R"("from_the_future":1})"), "accepted");
}

TEST(RunRecord, ReplacesInvalidUtf8AndCapsTexts) {
  RunRecord record = full_record();
  record.message = "bad \xFF byte" + std::string(100000, 'x');
  record.invalid_reason = "\xC3";
  const RunRecord back = read_run_record(write_run_record(record));
  EXPECT_EQ(back.message.substr(0, 11), "bad \xEF\xBF\xBD byt");
  EXPECT_LT(back.message.size(), 66000U);
  EXPECT_EQ(back.invalid_reason, "\xEF\xBF\xBD");
}

class Records : public ResultsTest {};

TEST_F(Records, AreReadOneByOneInOrder) {
  for (const char* name : {"b.c01", "a.c02", "a.c01"}) {
    record.run = name;
    write(folder.raw(name) / "run.json", write_run_record(record));
  }
  write(folder.raw("c.c01") / "run.json", "{");
  std::filesystem::create_directories(folder.raw("d.c01"));
  std::vector<std::string> seen;
  const auto reading = read_records(folder, [&](RunRecord&& r) { seen.push_back(r.run); });
  EXPECT_EQ(seen, (std::vector<std::string>{"a.c01", "a.c02", "b.c01"}));
  EXPECT_EQ(reading.records, 3U);
  ASSERT_EQ(reading.problems.size(), 2U);
  EXPECT_NE(reading.problems[0].find("c.c01/run.json: run record: not a whole"), std::string::npos);
}

TEST_F(Records, OfAFolderThatIsNotThereAreNone) {
  EXPECT_EQ(read_records(folder, [](RunRecord&&) {}).records, 0U);
}

TEST_F(Records, OfKeptAttemptsAreReadBesideThoseUnderWay) {
  record.state = "failed";
  write(folder.attempt("x.c01.a1") / "run.json", write_run_record(record));
  const auto reading = read_kept_records(folder, [](RunRecord&&) {});
  EXPECT_EQ(reading.records, 1U);
  EXPECT_TRUE(reading.problems.empty());
}

const std::string launcher_outcome =
    R"({"v":1,"run":"tiny-b4.c02.a1","exit_code":null,"signal":9,"exec_error":null,)"
    R"("start_mono_ns":1,"end_mono_ns":2,"start_boottime":1.0,"end_boottime":2.0,"start_utc":1.0,)"
    R"("end_utc":2.0,"boot":"b","rusage":{"user_s":0.25,"system_s":0.5,"max_rss_kb":1000,)"
    R"("minor_faults":1},"stdout":{"bytes":10,"kept":9},"stderr":{"bytes":0,"kept":0},)"
    R"("window":{"begin_mono_ns":5,"end_mono_ns":null},"killed_descendants":2,"stopped_by":null})";

TEST_F(Records, OfTheLauncherAreUnderstood) {
  control("outcome.json", launcher_outcome);
  const auto read = read_outcome(folder.ctl(attempt));
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->exit_code);
  EXPECT_EQ(read->signal, 9);
  EXPECT_EQ(read->window_begin_ns, 5);
  EXPECT_FALSE(read->window_end_ns);
  EXPECT_EQ(read->user_s, 0.25);
  EXPECT_EQ(read->stdout_kept, 9);
  EXPECT_EQ(read->killed_descendants, 2);
}

TEST_F(Records, OfTheLauncherThatAreTornOrLinksAreNone) {
  EXPECT_FALSE(read_outcome(folder.ctl(attempt)));
  for (std::size_t kept = 0; kept < launcher_outcome.size(); ++kept) {
    control("outcome.json", launcher_outcome.substr(0, kept));
    EXPECT_FALSE(read_outcome(folder.ctl(attempt))) << kept;
  }
  std::filesystem::remove(folder.ctl(attempt) / "outcome.json");
  payload("outcome.json", launcher_outcome);
  std::filesystem::create_symlink(folder.attempt(attempt) / "outcome.json",
                                  folder.ctl(attempt) / "outcome.json");
  EXPECT_FALSE(read_outcome(folder.ctl(attempt)));
}

class LogTail : public ResultsTest {
 protected:
  std::string tail(const std::string& content, const TailLimit& limit = {}) {
    control("stdout.log", content);
    return log_tail(folder.ctl(attempt) / "stdout.log", limit);
  }
};

TEST_F(LogTail, GivesTheLastLines) {
  EXPECT_EQ(tail("a\nb\nc\n", {.lines = 2}), "b\nc");
  EXPECT_EQ(tail("a\nb", {.lines = 5}), "a\nb");
  EXPECT_EQ(tail("\n\n"), "\n");
  EXPECT_EQ(tail(""), "");
  EXPECT_EQ(tail("a\n", {.lines = 0}), "");
  EXPECT_EQ(log_tail(folder.folder / "none.log", {}), "");
}

TEST_F(LogTail, KeepsWithinItsBytesAndWholeCharacters) {
  EXPECT_EQ(tail("0123456789\nabc\n", {.lines = 9, .bytes = 6}), "89\nabc");
  EXPECT_EQ(tail("\xE2\x82\xAC\xE2\x82\xAC", {.lines = 9, .bytes = 4}), "\xE2\x82\xAC");
  EXPECT_EQ(tail(std::string(100, '\xFF'), {.lines = 9, .bytes = 10}).size(), 9U);
}

TEST_F(LogTail, ReadsOnlyTheEndOfAHugeLog) {
  control("stdout.log", "start\n");
  const auto log = folder.ctl(attempt) / "stdout.log";
  std::filesystem::resize_file(log, std::uintmax_t{1} << 40);
  std::ofstream(log, std::ios::app) << "\nthe end\n";
  EXPECT_EQ(log_tail(log, {.lines = 1}), "the end");
}

}  // namespace
}  // namespace campaign::testing
