#include "container/folder_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstring>
#include <map>
#include <set>
#include <vector>

namespace container {

namespace asio = boost::asio;

namespace {

using Callback = std::shared_ptr<std::function<void()>>;

// Of one io_context. The kernel gives one number to all watches of one folder.
class Inotify : public asio::execution_context::service {
 public:
  inline static asio::execution_context::id id;

  explicit Inotify(asio::execution_context& context) : service(context) {}

  std::optional<int> add(const asio::any_io_executor& executor, const std::filesystem::path& folder,
                         const Callback& callback) {
    if (!descriptor_) {
      const int instance = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
      if (instance < 0) return std::nullopt;
      descriptor_.emplace(executor, instance);
    }
    const int number =
        inotify_add_watch(descriptor_->native_handle(), folder.c_str(), IN_MOVED_TO | IN_CREATE);
    if (number < 0) return std::nullopt;
    callbacks_[number].push_back(callback);
    wait();
    return number;
  }

  void remove(int number, const Callback& callback) noexcept {
    const auto found = callbacks_.find(number);
    if (found == callbacks_.end()) return;
    std::erase(found->second, callback);
    if (!found->second.empty()) return;
    callbacks_.erase(found);
    inotify_rm_watch(descriptor_->native_handle(), number);
    boost::system::error_code ignored;
    if (callbacks_.empty()) descriptor_->cancel(ignored);
  }

 private:
  void shutdown() override {
    descriptor_.reset();
    callbacks_.clear();
  }

  void wait() {
    if (waiting_) return;
    waiting_ = true;
    descriptor_->async_wait(asio::posix::stream_descriptor::wait_read,
                            [this](const boost::system::error_code&) {
                              waiting_ = false;
                              tell(take());
                              if (!callbacks_.empty()) wait();
                            });
  }

  std::set<int> take() {
    alignas(inotify_event) std::array<char, 4096> bytes;
    std::set<int> numbers;
    ssize_t size = 0;
    while ((size = ::read(descriptor_->native_handle(), bytes.data(), bytes.size())) > 0)
      for (ssize_t at = 0; at < size;) {
        inotify_event event{};
        std::memcpy(&event, bytes.data() + at, sizeof event);
        numbers.insert(event.wd);
        at += static_cast<ssize_t>(sizeof event + event.len);
      }
    return numbers;
  }

  void tell(const std::set<int>& numbers) {
    std::vector<Callback> told;
    for (const int number : numbers)
      if (const auto found = callbacks_.find(number); found != callbacks_.end())
        told.insert(told.end(), found->second.begin(), found->second.end());
    for (const Callback& each : told)
      if (const auto call = *each) call();  // a copy: it may end its own watch
  }

  std::optional<asio::posix::stream_descriptor> descriptor_;
  std::map<int, std::vector<Callback>> callbacks_;
  bool waiting_ = false;
};

class Watched : public FolderWatch {
 public:
  Watched(Inotify& inotify, int number, Callback callback)
      : inotify_(inotify), number_(number), callback_(std::move(callback)) {}
  ~Watched() override {
    inotify_.remove(number_, callback_);
    *callback_ = nullptr;
  }

 private:
  Inotify& inotify_;
  const int number_;
  const Callback callback_;
};

}  // namespace

Task<std::unique_ptr<FolderWatch>> watch_folder(const std::filesystem::path& folder,
                                                std::function<void()> appeared) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto& inotify = asio::use_service<Inotify>(asio::query(executor, asio::execution::context));
  auto callback = std::make_shared<std::function<void()>>(std::move(appeared));
  const auto number = inotify.add(executor, folder, callback);
  if (!number) co_return nullptr;
  co_return std::make_unique<Watched>(inotify, *number, std::move(callback));
}

}  // namespace container
