#include "controller/cli/compose.hpp"
#include "controller/cli/compose_report.hpp"

namespace controller::cli {

int compose_ps_command(const Arguments& arguments, Console& console) {
  const ComposeTarget target = compose_target(arguments, console);
  compose::Observed seen;
  with_engine([&](container::Engine& engine) -> Task<> {
    seen = co_await compose::observe(engine, target.project);
  });
  console.out << (arguments.global.json ? containers_json(seen) : containers_text(seen));
  return 0;
}

}  // namespace controller::cli
