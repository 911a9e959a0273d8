// The one table of commands. Each lives in a file of its name: it gathers data, a printer prints
// it, it gives the exit code (docs/commands.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/cli/console.hpp"
#include "controller/cli/options.hpp"

namespace controller::cli {

struct Command {
  std::string_view name;      // one word, or "journal cat"
  std::string_view summary;   // one line
  std::string_view examples;  // lines below --help
  int (*execute)(const Arguments&, Console&);
};

const std::vector<Command>& commands();

int up_command(const Arguments& arguments, Console& console);
int resume_command(const Arguments& arguments, Console& console);
int run_command(const Arguments& arguments, Console& console);
int status_command(const Arguments& arguments, Console& console);
int plan_command(const Arguments& arguments, Console& console);
int validate_command(const Arguments& arguments, Console& console);
int schema_command(const Arguments& arguments, Console& console);
int stop_command(const Arguments& arguments, Console& console);
int down_command(const Arguments& arguments, Console& console);
int logs_command(const Arguments& arguments, Console& console);
int results_list_command(const Arguments& arguments, Console& console);
int results_show_command(const Arguments& arguments, Console& console);
int results_export_command(const Arguments& arguments, Console& console);
int gpus_command(const Arguments& arguments, Console& console);
int doctor_command(const Arguments& arguments, Console& console);
int journal_cat_command(const Arguments& arguments, Console& console);
int journal_fsck_command(const Arguments& arguments, Console& console);
int journal_compact_command(const Arguments& arguments, Console& console);
int version_command(const Arguments& arguments, Console& console);

// Parses, runs, flushes. Throws what main() turns into exit codes.
int command_line(const std::vector<std::string>& words);

// What several commands share.
LocateRequest locate_request(const Arguments& arguments, const std::string& campaign);
campaign::Campaign load(const Arguments& arguments, const FileArguments& source);
// Writes notices of a campaign file, a line each, unless -q.
void print_warnings(const campaign::Campaign& campaign, const Globals& global, Console& console);
// The one run that `text` names, by id or selector. Throws CommandError(usage) that lists what it
// matched.
const campaign::PlannedRun& one_run(const SessionView& view, const std::string& text);
bool controller_is_alive(const Located& located);
std::string holder_text(const Located& located);  // "pid 4711 on node7", "another controller"

}  // namespace controller::cli
