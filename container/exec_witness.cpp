#include "container/exec_witness.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>

#include "container/folder_watch.hpp"

namespace container {

namespace asio = boost::asio;

namespace {

constexpr double look_interval = 1;       // seconds; the backstop of a watched folder
constexpr double blind_interval = 0.1;    // where no folder can be watched
constexpr double forgotten_interval = 5;  // each look is an exec of its own then
constexpr std::uintmax_t log_limit = 64 << 20;

// Shared by the witness and its coroutines: whichever is left last frees it.
struct Watch {
  ExecWatch of;
  OnExit on_exit;
  asio::any_io_executor executor;
  std::unique_ptr<FolderWatch> folder;
  asio::cancellation_signal cancelled;

  void tell() {
    const OnExit told = std::move(on_exit);
    on_exit = nullptr;
    if (told) told();
  }
  bool over() const { return !on_exit; }
};

class Witness : public ExecWitness {
 public:
  explicit Witness(std::shared_ptr<Watch> watch) : watch_(std::move(watch)) {}
  ~Witness() override {
    watch_->on_exit = nullptr;
    watch_->folder.reset();
    try {
      watch_->cancelled.emit(asio::cancellation_type::terminal);
      // What emit() has queued refers to the signal, which outlives it.
      asio::post(watch_->executor, [watch = watch_] {});
    } catch (const std::exception&) {
      // Without memory for that the looks go on, and tell nobody.
    }
  }

  void tell(const EngineEvent& event) override {
    const auto exec = event.attributes.find("execID");
    const bool exec_ended = event.action == "exec_die" && exec != event.attributes.end() &&
                            exec->second == watch_->of.exec;
    const bool container_ended = event.action == "die" && event.id == watch_->of.run.container;
    if (exec_ended || container_ended) watch_->tell();
  }

 private:
  std::shared_ptr<Watch> watch_;
};

bool outcome_is_there(const Watch& watch) {
  std::error_code ignored;
  return std::filesystem::exists(watch.of.run.out_here / "outcome.json", ignored);
}

// An engine that does not answer says nothing of the exec.
Task<bool> has_ended(const Watch& watch) {
  try {
    const ExecEnding seen = co_await look_exec(*watch.of.engine, watch.of.run, watch.of.exec);
    co_return seen.kind != ExecEnding::Kind::running;
  } catch (const EngineError&) {
    co_return false;
  }
}

Task<> look_now_and_then(std::shared_ptr<Watch> watch, double interval) {
  for (;;) {
    co_await sleep_for(interval);
    if (watch->over()) co_return;
    if (outcome_is_there(*watch) || co_await has_ended(*watch)) break;
  }
  watch->tell();
}

class Log {
 public:
  explicit Log(const std::filesystem::path& path) : file_(path, std::ios::binary) {}
  void add(const std::string& data) {
    const auto room = log_limit - size_;
    const auto taken = std::min<std::uintmax_t>(room, data.size());
    file_.write(data.data(), static_cast<std::streamsize>(taken)).flush();
    size_ += taken;
  }

 private:
  std::ofstream file_;
  std::uintmax_t size_ = 0;
};

Task<> keep_output(std::shared_ptr<Watch> watch, std::unique_ptr<OutputStream> output) {
  Log out(watch->of.run.out_here / "stdout.log"), err(watch->of.run.out_here / "stderr.log");
  try {
    while (const auto chunk = co_await output->next())
      (chunk->stream == OutputChunk::Stream::out ? out : err).add(chunk->data);
  } catch (const EngineError&) {
    // A cut output says nothing of the exec: whoever is told looks.
  }
  watch->tell();
}

Task<std::shared_ptr<Watch>> make_watch(ExecWatch of, OnExit on_exit) {
  auto watch = std::make_shared<Watch>();
  watch->executor = co_await asio::this_coro::executor;
  watch->of = std::move(of);
  watch->on_exit = std::move(on_exit);
  co_return watch;
}

Task<> guarded(Task<> task, std::exception_ptr& failure) {
  try {
    co_await std::move(task);
  } catch (...) {
    failure = std::current_exception();
  }
}

Task<> until_done(Task<> task, bool& done, std::exception_ptr& failure) {
  co_await guarded(std::move(task), failure);
  done = true;
}

}  // namespace

Task<std::unique_ptr<ExecWitness>> watch_exec(ExecWatch of, OnExit on_exit) {
  const auto watch = co_await make_watch(std::move(of), std::move(on_exit));
  double interval = watch->of.exec.empty() ? forgotten_interval : blind_interval;
  watch->folder = co_await watch_folder(watch->of.run.out_here, [weak = std::weak_ptr(watch)] {
    const auto still = weak.lock();
    if (still && outcome_is_there(*still)) still->tell();
  });
  if (watch->folder) interval = std::max(interval, look_interval);
  if (outcome_is_there(*watch)) asio::post(watch->executor, [watch] { watch->tell(); });
  asio::co_spawn(watch->executor, look_now_and_then(watch, interval),
                 asio::bind_cancellation_slot(watch->cancelled.slot(), asio::detached));
  co_return std::make_unique<Witness>(watch);
}

Task<std::unique_ptr<ExecWitness>> watch_output(ExecWatch of, std::unique_ptr<OutputStream> output,
                                                OnExit on_exit) {
  const auto watch = co_await make_watch(std::move(of), std::move(on_exit));
  asio::co_spawn(watch->executor, keep_output(watch, std::move(output)),
                 asio::bind_cancellation_slot(watch->cancelled.slot(), asio::detached));
  co_return std::make_unique<Witness>(watch);
}

Task<> alongside(Task<> task, const Beside& beside) {
  using asio::experimental::awaitable_operators::operator&&;
  bool done = false;
  std::exception_ptr failure, beside_failure;
  co_await (until_done(std::move(task), done, failure) && guarded(beside(done), beside_failure));
  if (failure) std::rethrow_exception(failure);
  if (beside_failure) std::rethrow_exception(beside_failure);
}

}  // namespace container
