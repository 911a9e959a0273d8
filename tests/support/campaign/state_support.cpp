#include "tests/support/campaign/state_support.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace campaign::testing {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "campaign-state-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<Event> one_of_each_event() {
  const std::map<std::string, double> stages = {{"gap", 1.5}, {"measure", 12.000001}};
  return {
      event::SessionStarted{"00ff", "20261121T004300Z", "demo", "ENGINE:ID"},
      event::ControllerStarted{"node7", 4711, "ENGINE:ID", "0.1.0"},
      event::Claimed{"tiny.c01", 2, 3, "cctl-00ff-tiny.c01-a2", "ENGINE:ID", "node7", 9, "vllm"},
      event::GapStarted{"tiny.c01", 2, {12.5, "0f1e2d3c", 1763685600.125, 30}, "config gap"},
      event::Starting{"tiny.c01",
                      2,
                      std::string(64, 'a'),
                      77,
                      18446744073709551615u,
                      1763685600.5,
                      "server",
                      {"in band", 41.5, {{"GPU-8f1e", 44}, {"GPU-0c2d", 42.5}}}},
      event::Adopted{"tiny.c01", 2, "node7-1-0f1e2d3c-1", 8, std::string(64, 'a')},
      event::Exited{"tiny.c01", 2, 137, 9, true, "timeout", 1763685601.25},
      event::Completed{"tiny.c01", 2, 12.25, 100.5, 1763685612.5, 1763685600.25, stages, true},
      event::Failed{"tiny.c01", 2, FailureClass::gpu_oom, 1, 6, true, "no memory",
                    "line\nline \"x\"\t\x01", 3.5, 100.5, 1763685612.5, 1763685600.25, stages,
                    1763685700.5, false},
      event::Interrupted{"tiny.c01", 2, "lost", 1763685612.5},
      event::Released{"tiny.c01", 2},
      event::Skipped{"tiny.c01", "repeat_failure"},
      event::Reopened{"tiny.c01", "--rerun"},
      event::Superseded{"tiny.c01", 2},
      event::PilotDone{"tiny", 2, true, 4.5, "well"},
      event::CycleEntered{3},
      event::PlanRevised{2, "--accept-changes", {"tiny: batch: 4 -> 8", "gap: 1 -> 2"}},
      event::ImageResolved{"alpine:3", "sha256:ab", "sha256:cd"},
      event::CleanupOwed{{"sh", "-c", "rm \"$X\""}},
      event::CleanupDone{4},
      event::Paused{"max_failures"},
      event::Drained{"signal"},
      event::Abandoned{"--new"},
      event::Finished{5},
  };
}

std::vector<Event> normal_run(const std::string& run, int attempt) {
  const std::map<std::string, double> stages = {
      {"claim", 0.000123},   {"collect", 0.012345}, {"gap", 30.000123},    {"measure", 12.345678},
      {"prepare", 0.123456}, {"start", 0.234567},   {"teardown", 0.123456}};
  return {
      event::Claimed{run, attempt, 0, "cctl-0123abcd-" + run + "-a" + std::to_string(attempt),
                     "ABCD:EFGH:IJKL:MNOP:QRST:UVWX:YZ23:4567:ABCD:EFGH:IJKL:MNOP", "node7", 17},
      event::GapStarted{
          run, attempt, {123456.789123, ManualClock().boot_id(), 1763685600.123456, 30}, "fixed"},
      event::Starting{
          run, attempt, std::string(64, 'a'), 0, 0, 1763685600.123456, "", {"fixed", 30.12, {}}},
      event::Exited{run, attempt, 0, std::nullopt, false, "exited", 1763685612.123456},
      event::Completed{run, attempt, 12.345678, 123468.123456, 1763685612.123456, 1763685600.123456,
                       stages, false},
  };
}

Record record(const std::string& writer, std::int64_t seq, Event event) {
  Record made;
  made.writer = writer;
  made.seq = seq;
  made.t = rfc3339(1'763'685'600 + static_cast<double>(seq), 6);
  made.mono_ns = seq * 1000;
  made.boot = "0f1e2d3c-1111-2222-3333-444455556666";
  made.event = std::move(event);
  return made;
}

namespace {

// Plays controllers that die one after another over a few runs.
class Story {
 public:
  explicit Story(std::mt19937& random) : random_(random) {}

  History tell() {
    const int controllers = 2 + pick(3);
    for (int n = 1; n <= controllers; ++n) control(n);
    return std::move(history_);
  }

 private:
  struct Run {
    RunPhase phase = RunPhase::pending;
    int attempt = 0;
    bool final = false;
    std::string owner;
  };

  int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }

  void write(Event event) {
    auto& mine = history_.back();
    mine.push_back(record(writer_, static_cast<std::int64_t>(mine.size()) + 1, std::move(event)));
    last_[writer_] = static_cast<std::int64_t>(mine.size());
  }

  void control(int n) {
    writer_ = "node" + std::to_string(pick(3)) + "-" + std::to_string(900 - n) + "-0f1e2d3c-" +
              std::to_string(n);
    history_.emplace_back();
    if (n == 1) write(event::SessionStarted{"00ff", "s", "demo", "ENGINE"});
    write(event::ControllerStarted{"node7", 4711, "ENGINE", "0.1"});
    for (auto& [name, run] : runs_) take_over(name, run);
    const int steps = 10 + pick(60);
    for (int i = 0; i < steps; ++i) {
      const std::string name =
          "exp" + std::to_string(pick(5)) + ".c0" + std::to_string(1 + pick(2));
      advance(name, runs_[name]);
    }
    if (pick(3) == 0) write(event::Paused{"max_failures"});
    if (pick(3) == 0) write(event::Drained{"signal"});
  }

  void take_over(const std::string& name, Run& run) {
    if (run.phase != RunPhase::initialised && run.phase != RunPhase::running) return;
    write(event::Adopted{name, run.attempt, run.owner, last_[run.owner], "id-" + name});
    run.owner = writer_;
  }

  void advance(const std::string& name, Run& run) {
    switch (run.phase) {
      case RunPhase::pending:
        return from_pending(name, run);
      case RunPhase::initialised:
        return from_initialised(name, run);
      case RunPhase::running:
        return from_running(name, run);
      case RunPhase::failed:
      case RunPhase::interrupted:
        return run.final ? reopen(name, run) : claim(name, run);
      default:
        return reopen(name, run);
    }
  }

  void claim(const std::string& name, Run& run) {
    ++run.attempt;
    run.owner = writer_;
    run.final = false;
    run.phase = RunPhase::initialised;
    write(event::Claimed{name, run.attempt, pick(4), "c-" + name, "ENGINE", "node7", ++position_});
  }

  void from_pending(const std::string& name, Run& run) {
    if (pick(12) != 0) return claim(name, run);
    run.phase = RunPhase::skipped;
    write(event::Skipped{name, "repeat_failure"});
  }

  void from_initialised(const std::string& name, Run& run) {
    switch (pick(6)) {
      case 0:
        write(event::Released{name, run.attempt});
        --run.attempt;
        run.phase = RunPhase::pending;
        return;
      case 1:
        write(event::GapStarted{
            name, run.attempt, {1, "boot", 1000.0 + position_, 30}, "config gap"});
        return;
      default:
        write(event::Starting{name,
                              run.attempt,
                              "id-" + name + std::to_string(run.attempt),
                              0,
                              0,
                              5.0 + position_,
                              "",
                              {"fixed", 1.5, {{"GPU-" + std::to_string(pick(2)), pick(90)}}}});
        run.phase = RunPhase::running;
    }
  }

  void from_running(const std::string& name, Run& run) {
    const double end = 100.0 + ++position_;
    if (pick(2) == 0)
      write(event::Exited{name, run.attempt, pick(3), std::nullopt, false, "exited", end});
    const int what = pick(4);
    if (what == 0) {
      run.final = pick(2) == 0;
      run.phase = RunPhase::failed;
      event::Failed failed;
      failed.run = name;
      failed.attempt = run.attempt;
      failed.exit_code = 1;
      failed.finished_utc = end;
      failed.final = run.final;
      write(std::move(failed));
    } else if (what == 1) {
      run.phase = RunPhase::interrupted;
      write(event::Interrupted{name, run.attempt, "lost", end});
    } else {
      run.phase = RunPhase::completed;
      write(event::Completed{name, run.attempt, 1.5, end, end, end - 2, {{"collect", 0.5}}, false});
    }
  }

  void reopen(const std::string& name, Run& run) {
    if (pick(3) != 0) return;
    write(event::Reopened{name, "--rerun"});
    if (run.phase == RunPhase::completed) write(event::Superseded{name, run.attempt});
    run.phase = RunPhase::pending;
    run.final = false;
  }

  std::mt19937& random_;
  History history_;
  std::string writer_;
  std::map<std::string, Run> runs_;
  std::map<std::string, std::int64_t> last_;
  int position_ = 0;
};

}  // namespace

History random_history(std::mt19937& random) { return Story(random).tell(); }

std::vector<Record> interleaved(const History& history, std::mt19937& random) {
  std::vector<std::size_t> next(history.size(), 0);
  std::vector<std::size_t> order;
  for (std::size_t writer = 0; writer < history.size(); ++writer) {
    order.insert(order.end(), history[writer].size(), writer);
  }
  std::shuffle(order.begin(), order.end(), random);
  std::vector<Record> records;
  for (const std::size_t writer : order) records.push_back(history[writer][next[writer]++]);
  return records;
}

std::vector<Record> one_after_another(const History& history) {
  std::vector<Record> records;
  for (const auto& writer : history) records.insert(records.end(), writer.begin(), writer.end());
  return records;
}

Fold fold_of(const std::vector<Record>& records) {
  Fold fold;
  for (const Record& one : records) apply(fold, one);
  return fold;
}

std::string text_of(const Fold& fold) { return write_snapshot({fold, {}}); }

}  // namespace campaign::testing
