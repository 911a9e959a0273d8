// An engine without an engine: containers are entries of a map and behave as a word says. Records
// every call.
#pragma once

#include "container/engine.hpp"
#include "controller/wake.hpp"
#include "tests/support/container/absent_objects.hpp"

namespace controller::test {

template <class T = void>
using Task = container::Task<T>;

// What a container does when it is started:
//   exit-N            ends at once with that code         oom       ends with 137, OOMKilled
//   hang              runs until it is killed (143, 137)  deaf      runs until SIGKILL
//   start-fails-N     cannot be started, code N           gone      vanishes once it runs
//   cut-wait          like hang, but its wait is cut, every time
struct FakeContainer {
  container::ContainerState state;
  container::ContainerSpec spec;
};

class FakeEngine : public container::Engine {
 public:
  std::string script = "exit-0";
  int unreachable_calls = 0;  // so many calls fail before the next one succeeds
  std::map<std::string, FakeContainer> containers;  // by id
  std::vector<std::string> calls;                   // "create NAME", "start ID", ...
  container::ContainerStats counted;                // of each container that runs

  void finish(const std::string& id, int code);  // it ends by itself
  int count(const std::string& prefix) const;    // of calls

  Task<container::EngineInfo> info() override;
  Task<std::string> create(const container::ContainerSpec& spec) override;
  Task<std::unique_ptr<container::OutputStream>> attach(const std::string& id) override;
  Task<std::unique_ptr<container::PendingWait>> wait(const std::string& id,
                                                     container::WaitCondition condition) override;
  Task<> start(const std::string& id) override;
  Task<> unpause(const std::string& id) override;
  Task<> kill(const std::string& id, const std::string& signal) override;
  Task<container::ContainerState> inspect(const std::string& id_or_name) override;
  Task<std::optional<container::ContainerStats>> stats(const std::string& id) override;
  Task<> remove(const std::string& id, bool force_running) override;
  Task<std::vector<container::ContainerSummary>> list(
      const std::map<std::string, std::string>& labels) override;
  Task<std::string> logs(const std::string& id, int tail) override;
  Task<std::unique_ptr<container::OutputStream>> follow_logs(const std::string& id) override;
  Task<std::unique_ptr<container::EventStream>> events(
      const std::map<std::string, std::string>& labels, std::int64_t since_nano) override;
  Task<std::optional<container::ImageInfo>> image(const std::string& reference) override;
  Task<> pull(const std::string& reference) override;
  Task<std::string> read_archive(const std::string& id, const std::string& path) override;
  Task<> put_archive(const std::string& id, const std::string& path,
                     const std::string& archive) override;
  container::Networks& networks() override { return networks_; }
  container::Volumes& volumes() override { return volumes_; }
  container::Execs& execs() override { return execs_; }

 private:
  class Wait;
  void called(const std::string& what);
  FakeContainer& at(const std::string& id_or_name);
  void end(FakeContainer& container, int code);

  container::test::AbsentNetworks networks_;
  container::test::AbsentVolumes volumes_;
  container::test::AbsentExecs execs_;
  Wake changed_;
  int next_id_ = 1;
};

// Fails at the nth call of another engine, once.
class FlakyEngine : public container::Engine {
 public:
  enum class Fault {
    refused,      // 500, nothing was done
    unreachable,  // nothing was done
    answer_lost   // it was done, the answer did not come
  };
  FlakyEngine(container::Engine& inner, Fault fault, int nth)
      : inner_(inner), fault_(fault), nth_(nth) {}
  bool struck() const { return calls_ >= nth_; }

  Task<container::EngineInfo> info() override;
  Task<std::string> create(const container::ContainerSpec& spec) override;
  Task<std::unique_ptr<container::OutputStream>> attach(const std::string& id) override;
  Task<std::unique_ptr<container::PendingWait>> wait(const std::string& id,
                                                     container::WaitCondition condition) override;
  Task<> start(const std::string& id) override;
  Task<> unpause(const std::string& id) override;
  Task<> kill(const std::string& id, const std::string& signal) override;
  Task<container::ContainerState> inspect(const std::string& id_or_name) override;
  Task<std::optional<container::ContainerStats>> stats(const std::string& id) override;
  Task<> remove(const std::string& id, bool force_running) override;
  Task<std::vector<container::ContainerSummary>> list(
      const std::map<std::string, std::string>& labels) override;
  Task<std::string> logs(const std::string& id, int tail) override;
  Task<std::unique_ptr<container::OutputStream>> follow_logs(const std::string& id) override;
  Task<std::unique_ptr<container::EventStream>> events(
      const std::map<std::string, std::string>& labels, std::int64_t since_nano) override;
  Task<std::optional<container::ImageInfo>> image(const std::string& reference) override;
  Task<> pull(const std::string& reference) override;
  Task<std::string> read_archive(const std::string& id, const std::string& path) override;
  Task<> put_archive(const std::string& id, const std::string& path,
                     const std::string& archive) override;
  container::Networks& networks() override { return inner_.networks(); }
  container::Volumes& volumes() override { return inner_.volumes(); }
  container::Execs& execs() override { return inner_.execs(); }

 private:
  template <class T>
  Task<T> through(Task<T> call);
  Task<> through(Task<> call);
  bool before();
  [[noreturn]] static void fail(int status);

  container::Engine& inner_;
  Fault fault_;
  int nth_, calls_ = 0;
};

}  // namespace controller::test
