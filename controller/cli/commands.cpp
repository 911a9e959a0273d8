#include "controller/cli/commands.hpp"

#include <filesystem>

#include "campaign/config/loader.hpp"
#include "controller/cli/compose.hpp"
#include "controller/cli/parse.hpp"
#include "controller/compose_services.hpp"
#include "controller/errors.hpp"
#include "controller/progress/format.hpp"
#include "controller/selector.hpp"
#include "controller/supervise/worker.hpp"

namespace controller::cli {
namespace {

std::string working_folder() {
  std::error_code error;
  const std::filesystem::path cwd = std::filesystem::current_path(error);
  if (error)
    throw CommandError(ExitCode::environment,
                       "the working folder is gone or unreadable: " + error.message());
  return cwd.string();
}

std::string path_setting(const std::string& key, const std::string& path) {
  const auto absolute = (std::filesystem::path(working_folder()) / path).lexically_normal();
  return key + "=" + campaign::to_json(campaign::Value::string(absolute.string()));
}

std::vector<Command> own_commands() {
  return {
      {"up", "run a campaign, or go on with it",
       "  campaignctl up campaign.yaml\n"
       "  campaignctl up campaign.yaml --dry-run\n"
       "  campaignctl up campaign.yaml --cycles 3 --set runner.timeout=10m\n"
       "  campaignctl up campaign.yaml --retry 'state=failed class=oom'\n",
       up_command},
      {"resume", "go on with a campaign from its manifest alone",
       "  campaignctl resume\n"
       "  campaignctl resume zstd-levels\n"
       "  campaignctl resume /data/.state/zstd-levels\n",
       resume_command},
      {"run", "a campaign without a file",
       "  campaignctl run -- sleep 0.1\n"
       "  campaignctl run --axis level=1,9,19 --cycles 20 -- zstd -qf -{p.level} data.bin -o "
       "/dev/null\n"
       "  campaignctl run --image debian:12 --axis n=1000,2000 --save seq.json -- seq {p.n}\n",
       run_command},
      {"status", "how far a campaign is",
       "  campaignctl status\n"
       "  campaignctl status zstd-levels --watch 2\n"
       "  campaignctl status --runs --json\n"
       "  campaignctl status --why level9.c02\n",
       status_command},
      {"plan", "what would run, in which order, and why",
       "  campaignctl plan campaign.yaml\n"
       "  campaignctl plan campaign.yaml --explain\n"
       "  campaignctl plan campaign.yaml --as docker\n",
       plan_command},
      {"validate", "check a campaign file, all errors with their places",
       "  campaignctl validate campaign.yaml\n"
       "  campaignctl validate campaign.yaml --json\n",
       validate_command},
      {"schema", "the JSON Schema of campaign files",
       "  campaignctl schema > campaign.schema.json\n", schema_command},
      {"stop", "ask a running campaign to stop; `up` or `resume` goes on",
       "  campaignctl stop\n"
       "  campaignctl stop zstd-levels --after-cycle\n"
       "  campaignctl stop --now\n",
       stop_command},
      {"down", "remove what a stopped campaign has left on the engine",
       "  campaignctl down zstd-levels\n"
       "  campaignctl down --orphans\n",
       down_command},
      {"logs", "what a run printed",
       "  campaignctl logs level9.c02\n"
       "  campaignctl logs level9.c02 --attempt 1\n"
       "  campaignctl logs 'level=9 cycle=2' --follow\n",
       logs_command},
      {"results list", "every run that has ended, with its figures",
       "  campaignctl results list\n"
       "  campaignctl results list zstd-levels --metric measure_seconds --json\n",
       results_list_command},
      {"results show", "the summary, or one run's record",
       "  campaignctl results show\n"
       "  campaignctl results show --run level9.c02\n"
       "  campaignctl results show zstd-levels --group-by backend\n",
       results_show_command},
      {"results export", "figures for other programs",
       "  campaignctl results export --format csv > summary.csv\n"
       "  campaignctl results export --tidy --metric tps > runs.csv\n"
       "  campaignctl results export zstd-levels --format json\n",
       results_export_command},
      {"gpus", "the GPUs of this host: what is granted here, who holds what",
       "  campaignctl gpus\n"
       "  campaignctl gpus --json\n"
       "  campaignctl gpus --select 2            what `gpus: 2` of a run would get\n"
       "  campaignctl gpus --select ids:0,GPU-8f1e\n",
       gpus_command},
      {"doctor", "check engine, permissions, disk, locks, clock and GPUs, with remedies",
       "  campaignctl doctor\n"
       "  campaignctl doctor --json\n",
       doctor_command},
      {"journal cat", "every record of a session",
       "  campaignctl journal cat\n"
       "  campaignctl journal cat zstd-levels --json | tail\n",
       journal_cat_command},
      {"journal fsck", "check a journal: what is damaged, which runs are in doubt",
       "  campaignctl journal fsck\n"
       "  campaignctl journal fsck zstd-levels --repair\n",
       journal_fsck_command},
      {"journal compact", "write a snapshot, so that reading starts there",
       "  campaignctl journal compact zstd-levels\n", journal_compact_command},
      {"version", "the version of this program",
       "  campaignctl version\n"
       "  campaignctl version --json\n",
       version_command},
  };
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> table = [] {
    std::vector<Command> all = own_commands();
    for (const ComposeCommand& row : compose_commands()) all.push_back(row.command);
    return all;
  }();
  return table;
}

int command_line(const std::vector<std::string>& words) {
  if (words == std::vector<std::string>{supervise::worker_word}) return supervise::run_worker();
  const Parsed parsed = parse(words);
  Console console = make_console(parsed.arguments.global);
  int code = 0;
  if (parsed.command == nullptr)
    console.out << parsed.answer;
  else
    code = parsed.command->execute(parsed.arguments, console);
  if (!console.out.flush())
    throw CommandError(ExitCode::environment,
                       "standard output could not be written (disk full, or its reader is gone)");
  return code;
}

LocateRequest locate_request(const Arguments& arguments, const std::string& campaign) {
  return {.campaign = campaign, .state_dir = arguments.global.state_dir, .cwd = working_folder()};
}

campaign::Campaign load(const Arguments& arguments, const FileArguments& source) {
  campaign::LoadRequest request{.path = source.file,
                                .sets = source.sets,
                                .environment = campaign::process_environment(),
                                .document = {}};
  if (!source.results_dir.empty())
    request.sets.push_back(path_setting("io.results_dir", source.results_dir));
  if (!arguments.global.state_dir.empty())
    request.sets.push_back(path_setting("io.state_dir", arguments.global.state_dir));
  campaign::Campaign campaign = campaign::load_campaign(request);
  take_services(campaign);
  return campaign;
}

void print_warnings(const campaign::Campaign& campaign, const Globals& global, Console& console) {
  if (global.verbosity < 0) return;
  for (const std::string& warning : campaign.warnings)
    console.err << painted("warning:", Paint::yellow, console.err_color) << " " << warning << "\n";
}

const campaign::PlannedRun& one_run(const SessionView& view, const std::string& text) {
  const Selector selector = Selector::parse(text);
  const campaign::Plan& plan = view.manifest.plan;
  std::vector<const campaign::PlannedRun*> found;
  for (const campaign::PlannedRun& run : plan.runs) {
    const std::string id = campaign::run_id(plan, run);
    if (id == text) return run;
    if (selector.matches({.plan = &plan, .run = &run, .state = &view.fold.run(id)}))
      found.push_back(&run);
  }
  if (found.size() == 1) return *found.front();
  if (found.empty())
    throw CommandError(ExitCode::usage, "no run matches `" + text + "` in " +
                                            view.manifest.campaign_id +
                                            "; `campaignctl status --runs` lists them");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < found.size() && i < 5; ++i)
    names.push_back(campaign::run_id(plan, *found[i]));
  throw CommandError(ExitCode::usage, "`" + text + "` matches " + plural(found.size(), "run") +
                                          ", name one: " + joined(names, ", ") +
                                          (found.size() > 5 ? ", ..." : ""));
}

bool controller_is_alive(const Located& located) {
  return !campaign::lock_is_free(located.session.lock());
}

std::string holder_text(const Located& located) {
  const std::vector<campaign::Heartbeat> beats =
      campaign::read_heartbeats(located.session.heartbeat());
  const campaign::Heartbeat* newest = nullptr;
  for (const campaign::Heartbeat& beat : beats)
    if (newest == nullptr || beat.utc > newest->utc) newest = &beat;
  if (newest == nullptr) return "another controller";
  return "pid " + std::to_string(newest->pid) + " on " + newest->host;
}

}  // namespace controller::cli
