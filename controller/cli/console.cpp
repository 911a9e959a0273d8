#include "controller/cli/console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

namespace controller::cli {
namespace {

bool set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool wants_color(const Globals& global, bool terminal) {
  if (global.color != Color::automatic) return global.color == Color::always;
  const char* term = std::getenv("TERM");
  return terminal && !set("NO_COLOR") && term != nullptr && std::string_view(term) != "dumb";
}

int width_of(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace

Console make_console(const Globals& global) {
  Console console{.out = std::cout, .err = std::cerr, .style = {}};
  console.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  console.err_is_terminal = isatty(STDERR_FILENO) == 1;
  console.style.color = wants_color(global, console.out_is_terminal);
  console.style.width = width_of(STDOUT_FILENO);
  console.err_color = wants_color(global, console.err_is_terminal);
  return console;
}

std::unique_ptr<Progress> make_progress(const Globals& global, const Console& console) {
  if (global.verbosity < 0) return std::make_unique<QuietProgress>();
  const char* term = std::getenv("TERM");
  const bool capable = term != nullptr && std::string_view(term) != "dumb";
  if (console.err_is_terminal && capable && global.verbosity == 0)
    return make_live_progress(STDERR_FILENO, console.err_color);
  return make_line_progress(STDERR_FILENO);
}

}  // namespace controller::cli
