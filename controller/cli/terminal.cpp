#include "controller/cli/terminal.hpp"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <system_error>

namespace controller::cli {

namespace asio = boost::asio;

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

bool input_is_terminal() { return isatty(STDIN_FILENO) == 1; }

container::TerminalSize terminal_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return {.rows = size.ws_row, .columns = size.ws_col};
}

RawTerminal::RawTerminal() {
  if (tcgetattr(STDIN_FILENO, &before_) != 0) fail("standard input: the terminal cannot be asked");
  termios raw = before_;
  cfmakeraw(&raw);
  if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0)
    fail("standard input: the terminal cannot be set");
}

RawTerminal::~RawTerminal() { tcsetattr(STDIN_FILENO, TCSADRAIN, &before_); }

// Waiting goes through an epoll set of its own: to wait on a descriptor itself would make it
// non-blocking. Files and the like cannot be in one, and are always ready.
struct StandardInput::Readiness {
  explicit Readiness(const asio::any_io_executor& executor) : descriptor(executor) {
    const int set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0) fail("standard input");
    descriptor.assign(set);
    epoll_event event{};
    event.events = EPOLLIN;
    waits = epoll_ctl(set, EPOLL_CTL_ADD, STDIN_FILENO, &event) == 0;
    if (!waits && errno != EPERM) fail("standard input");
  }
  asio::posix::stream_descriptor descriptor;
  bool waits = false;
};

StandardInput::StandardInput(const asio::any_io_executor& executor)
    : readiness_(std::make_unique<Readiness>(executor)) {}
StandardInput::~StandardInput() = default;

container::Task<std::string> StandardInput::next() {
  std::array<char, 16384> bytes{};
  for (;;) {
    if (readiness_->waits)
      co_await readiness_->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                                 asio::use_awaitable);
    const ssize_t count = read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count >= 0) co_return std::string(bytes.data(), static_cast<std::size_t>(count));
    if (errno != EINTR && errno != EAGAIN) fail("standard input");
  }
}

}  // namespace controller::cli
