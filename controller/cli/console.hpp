// Where a command prints. Machine-readable output and tables go to `out` and nothing else does;
// logs, progress and notices go to `err`.
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "controller/cli/options.hpp"
#include "controller/progress/format.hpp"
#include "controller/progress/progress.hpp"

namespace controller::cli {

using namespace text;

// How a text printer may print.
struct Style {
  bool color = false;
  int width = 80;  // columns
};

struct Console {
  std::ostream& out;
  std::ostream& err;
  Style style;  // of `out`
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool err_color = false;
};

// Looks at file descriptors 1 and 2, NO_COLOR, TERM and --color.
Console make_console(const Globals& global);

// The progress display that suits standard error: live on a terminal, lines elsewhere and with -v,
// none with -q.
std::unique_ptr<Progress> make_progress(const Globals& global, const Console& console);

}  // namespace controller::cli
