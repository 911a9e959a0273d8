#include "controller/cli/parse.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <map>

#include "controller/cli/command_words.hpp"
#include "controller/cli/compose.hpp"
#include "controller/errors.hpp"
#include "controller/progress/format.hpp"

namespace controller::cli {
namespace {

using Adder = void (*)(CLI::App&, Arguments&);

constexpr char examples_title[] = "Examples:\n";

[[noreturn]] void refuse(const std::string& what) { throw CommandError(ExitCode::usage, what); }

// Settings of the campaign file that have an option of their own.
struct Setting {
  const char* option;
  const char* key;
  const char* help;
};
constexpr Setting settings[] = {
    {"--cycles", "execution.cycles", "repetitions of every experiment"},
    {"--structure", "execution.structure", "shuffled, interleaved, grouped or balanced"},
    {"--seed", "execution.seed", "of the order"},
    {"--workers", "execution.workers", "runs at a time"},
    {"--config-gap", "execution.config_gap_seconds", "wait between runs: seconds or 90s, 2m"},
    {"--cycle-gap", "execution.cycle_gap_seconds", "wait between cycles"},
    {"--overlap", "execution.overlap", "gap or always"},
    {"--gpus", "gpus", "devices it may use: auto, all, none, ids:0,GPU-8f1e"},
    {"--strategy", "container.strategy",
     "of all runners: ephemeral, persistent or \"[ephemeral, persistent]\""},
};

CLI::Option* add_text(CLI::App& app, const std::string& name, std::string& into,
                      const std::string& help) {
  return app.add_option(name, into, help)->type_name("");
}

void add_later(CLI::App& app, const std::string& name) {
  app.add_option_function<std::string>(
         name, [name](const std::string&) { refuse(name + " is not supported yet"); }, "")
      ->expected(0, 1)
      ->group("");
}

void add_later_options(CLI::App& app, std::initializer_list<const char*> names) {
  for (const char* name : names) add_later(app, name);
}

void add_file(CLI::App& app, FileArguments& source) {
  add_text(app, "FILE", source.file, "the campaign file")->required();
  for (const Setting& setting : settings)
    app.add_option_function<std::string>(
           setting.option,
           [&source, key = setting.key](const std::string& value) {
             source.sets.push_back(std::string(key) + "=" + value);
           },
           setting.help)
        ->type_name("X");
  app.add_flag_function(
      "--no-gaps",
      [&source](std::int64_t) {
        source.sets.emplace_back("execution.config_gap_seconds=0");
        source.sets.emplace_back("execution.cycle_gap_seconds=null");
      },
      "no wait at all between runs");
  app.add_option_function<std::vector<std::string>>(
         "--set",
         [&source](const std::vector<std::string>& pairs) {
           for (const std::string& pair : pairs) {
             if (pair.find('=') == std::string::npos || pair.front() == '=')
               refuse("--set " + pair + ": write dotted.key=value");
             source.sets.push_back(pair);
           }
         },
         "one value of the file, may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  add_text(app, "--results-dir", source.results_dir, "instead of io.results_dir")->type_name("DIR");
  add_later_options(app, {"--metrics-file", "--allow-outside"});
}

void add_selection(CLI::App& app, UpOptions& options) {
  add_text(app, "--retry", options.retry, "give failed or skipped runs a new attempt")
      ->type_name("SELECTOR");
  add_text(app, "--rerun", options.rerun, "run these again, whatever they are")
      ->type_name("SELECTOR");
  add_text(app, "--only", options.only, "run nothing else now")->type_name("SELECTOR");
}

void add_up(CLI::App& app, Arguments& arguments) {
  add_file(app, arguments.up.source);
  UpOptions& options = arguments.up.options;
  app.add_flag("--dry-run", arguments.up.dry_run, "print the plan and change nothing");
  app.add_flag("--new", options.fresh, "start a new session; an unfinished one is abandoned");
  app.add_flag("--accept-changes", options.accept_changes, "run what the file has changed");
  app.add_flag("--pilot-only", options.pilot_only, "only the pilot of each experiment");
  add_selection(app, options);
  app.add_flag("--yes,-y", arguments.up.yes, "do not ask before --new abandons a session");
  app.add_flag("--abandon-engine", options.abandon_engine,
               "go on though the engine is another one than before");
}

void add_resume(CLI::App& app, Arguments& arguments) {
  add_text(app, "CAMPAIGN", arguments.resume_campaign, "id, campaign file or state folder");
  add_selection(app, arguments.resume_options);
  app.add_flag("--abandon-engine", arguments.resume_options.abandon_engine,
               "go on though the engine is another one than before");
}

void add_run(CLI::App& app, Arguments& arguments) {
  RunArguments& run = arguments.run;
  add_text(app, "--image", run.image, "run it in a container of this image")->type_name("IMAGE");
  app.add_flag("--local", run.local, "run it as a process of this host (default without --image)");
  app.add_option("--axis", run.axes, "values of {p.K} in the command, may be repeated")
      ->type_name("K=V,V")
      ->allow_extra_args(false);
  app.add_option("--cycles", run.cycles, "runs of each experiment")
      ->check(CLI::Range(1, 10000))
      ->type_name("N")
      ->capture_default_str();
  add_text(app, "--save", run.save, "write the figures as JSON")->type_name("FILE");
  add_text(app, "--gpus", run.gpus, "of a run: a count, all, none, ids:0,1")->type_name("GPUS");
  app.add_option_function<std::string>(
         "CONFIG",
         [](const std::string& word) {
           const bool file = word.ends_with(".yaml") || word.ends_with(".yml");
           refuse(file ? "run " + word + ": running one experiment file is not supported yet"
                       : "run: put `--` before the command: campaignctl run -- " + word);
         },
         "")
      ->group("");
}

void add_watch(CLI::App& app, StatusArguments& status) {
  app.add_option_function<std::vector<std::string>>(
         "--watch,-w",
         [&status](const std::vector<std::string>& words) {
           status.watch = 2;
           if (words.empty() || words.front().empty()) return;
           const std::string& word = words.front();
           double seconds = 0;
           const auto end = std::from_chars(word.data(), word.data() + word.size(), seconds);
           if (end.ec != std::errc() || end.ptr != word.data() + word.size())
             status.campaign = word;
           else if (seconds >= 0.1 && seconds <= 86400)
             status.watch = seconds;
           else
             refuse("--watch " + word + ": between 0.1 and 86400 seconds");
         },
         "look again every SECONDS (2)")
      ->expected(0, 1)
      ->type_name("[SECONDS]");
}

void add_status(CLI::App& app, Arguments& arguments) {
  StatusArguments& status = arguments.status;
  add_text(app, "CAMPAIGN", status.campaign, "id, campaign file or state folder");
  add_watch(app, status);
  app.add_flag("--runs", status.runs, "every run");
  app.add_flag("--workers", status.workers, "the workers, also of a campaign that does not run");
  add_text(app, "--why", status.why, "what happened to one run, and why")->type_name("RUN");
}

void add_plan(CLI::App& app, Arguments& arguments) {
  PlanArguments& plan = arguments.plan;
  add_file(app, plan.source);
  app.add_flag("--new", plan.options.fresh, "as `up --new` would");
  app.add_flag("--accept-changes", plan.options.accept_changes, "as `up --accept-changes` would");
  add_selection(app, plan.options);
  app.add_flag("--explain", plan.explain, "every value and where it comes from");
  add_text(app, "--as", plan.as, "docker: the equivalent docker commands")
      ->check(CLI::IsMember({"docker"}))
      ->type_name("docker");
}

void add_validate(CLI::App& app, Arguments& arguments) { add_file(app, arguments.validate); }

void add_stop(CLI::App& app, Arguments& arguments) {
  using When = campaign::StopRequest::When;
  add_text(app, "CAMPAIGN", arguments.stop.campaign, "id, campaign file or state folder");
  auto* group = app.add_option_group("when");
  const auto choose = [&](const char* name, When when, const char* help) {
    group->add_flag_function(
        name, [&arguments, when](std::int64_t) { arguments.stop.when = when; }, help);
  };
  choose("--after-run", When::after_run, "when the runs under way have ended (default)");
  choose("--after-cycle", When::after_cycle, "when the cycle is complete");
  choose("--now", When::now, "stop the runs under way; they are run again later");
  group->require_option(0, 1);
}

void add_down(CLI::App& app, Arguments& arguments) {
  add_text(app, "CAMPAIGN", arguments.down.campaign, "id, campaign file or state folder");
  app.add_flag("--orphans", arguments.down.orphans, "what dead controllers of any campaign left");
  app.add_flag("--force", arguments.down.force,
               "with --orphans: also where no proof of death is had")
      ->needs(app.get_option("--orphans"));
  app.add_flag("--volumes")->description("its compose project's volumes; they go either way");
}

void add_logs(CLI::App& app, Arguments& arguments) {
  LogsArguments& logs = arguments.logs;
  add_text(app, "RUN", logs.run, "a run's id, or a selector that names one")->required();
  add_text(app, "--campaign,-c", logs.campaign, "id, campaign file or state folder")
      ->type_name("CAMPAIGN");
  app.add_flag("--follow,-f", logs.follow, "go on until the run has ended");
  app.add_option("--attempt", logs.attempt, "another one than the accepted or last")
      ->check(CLI::Range(1, 100000))
      ->type_name("N");
}

void add_results(CLI::App& app, Arguments& arguments) {
  add_text(app, "CAMPAIGN", arguments.results.campaign, "id, campaign file or state folder");
  app.add_option("--metric", arguments.results.metrics, "only these")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME,..");
}

void add_grouping(CLI::App& app, Arguments& arguments) {
  app.add_option("--group-by", arguments.results.group_by, "over experiments, by these values")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("KEY,..");
}

void add_results_show(CLI::App& app, Arguments& arguments) {
  add_results(app, arguments);
  add_grouping(app, arguments);
  add_text(app, "--run", arguments.results.run, "the record of one run")->type_name("RUN");
}

void add_results_export(CLI::App& app, Arguments& arguments) {
  add_results(app, arguments);
  add_grouping(app, arguments);
  app.add_option_function<std::string>(
         "--format",
         [&arguments](const std::string& value) {
           if (value == "md" || value == "lem")
             refuse("--format " + value + " is not supported yet");
           if (value != "table" && value != "csv" && value != "json")
             refuse("--format " + value + ": table, csv or json");
           arguments.results.format = value;
         },
         "table, csv or json")
      ->type_name("FORMAT");
  app.add_flag("--tidy", arguments.results.tidy, "CSV with one row per run and metric");
}

void add_gpus(CLI::App& app, Arguments& arguments) {
  add_text(app, "--select", arguments.gpus.select,
           "what a selection comes to: auto, all, none, a count, ids:0,GPU-8f1e")
      ->type_name("GPUS");
}

void add_journal(CLI::App& app, Arguments& arguments) {
  add_text(app, "CAMPAIGN", arguments.journal.campaign, "id, campaign file or state folder");
}

void add_fsck(CLI::App& app, Arguments& arguments) {
  add_journal(app, arguments);
  app.add_flag("--repair", arguments.journal.repair, "go on without the damaged ranges");
}

void add_nothing(CLI::App&, Arguments&) {}

void add_compose_options(CLI::App& app, const std::vector<ComposeOption>& options,
                         ComposeArguments& into) {
  for (const ComposeOption& option : options)
    std::visit(
        [&](auto member) {
          using Member = decltype(member);
          if constexpr (std::is_same_v<Member, bool ComposeArguments::*>) {
            app.add_flag(option.name, into.*member, option.help);
          } else {
            CLI::Option* added = app.add_option(option.name, into.*member, option.help);
            added->type_name(option.type);
            if constexpr (!std::is_same_v<Member, std::string ComposeArguments::*>)
              added->allow_extra_args(*option.name != '-');
          }
        },
        option.into);
}

void add_compose(CLI::App& app, std::string_view command, ComposeArguments& into) {
  for (const ComposeCommand& row : compose_commands())
    if (row.command.name == command) {
      add_compose_options(app, row.options, into);
      app.positionals_at_end(row.rest == ComposeCommand::Rest::words);
    }
}

// CLI11 takes the words one by one, so they are counted; of `[a,b]` it has made two.
void take_words(const CLI::App& app, std::string_view command,
                const std::vector<std::string>& words, ComposeArguments& into) {
  for (const ComposeCommand& row : compose_commands()) {
    if (row.command.name != command || row.rest != ComposeCommand::Rest::words) continue;
    const ComposeOption& last = row.options.back();
    const auto member = std::get<std::vector<std::string> ComposeArguments::*>(last.into);
    const std::vector<CLI::Option*>& order = app.parse_order();
    const auto taken = std::count(order.begin(), order.end(), app.get_option(last.name));
    (into.*member).assign(words.end() - taken, words.end());
  }
}

Adder adder_of(std::string_view command) {
  static const std::map<std::string_view, Adder> adders = {
      {"up", add_up},
      {"resume", add_resume},
      {"run", add_run},
      {"status", add_status},
      {"plan", add_plan},
      {"validate", add_validate},
      {"stop", add_stop},
      {"down", add_down},
      {"logs", add_logs},
      {"results list", add_results},
      {"results show", add_results_show},
      {"results export", add_results_export},
      {"gpus", add_gpus},
      {"journal cat", add_journal},
      {"journal fsck", add_fsck},
      {"journal compact", add_journal},
  };
  const auto found = adders.find(command);
  return found == adders.end() ? add_nothing : found->second;
}

void add_globals(CLI::App& app, Globals& global) {
  app.add_flag_function(
         "-v,--verbose", [&](std::int64_t) { global.verbosity = 1; }, "more on standard error")
      ->group("Global options");
  app.add_flag_function(
         "-q,--quiet", [&](std::int64_t) { global.verbosity = -1; }, "no progress, no notices")
      ->group("Global options");
  app.add_flag("--json", global.json, "one JSON object on standard output")
      ->group("Global options");
  app.add_option_function<std::string>(
         "--color",
         [&](const std::string& word) {
           if (word != "auto" && word != "always" && word != "never")
             refuse("--color " + word + ": auto, always or never");
           global.color = word == "auto"     ? Color::automatic
                          : word == "always" ? Color::always
                                             : Color::never;
         },
         "auto, always or never")
      ->type_name("WHEN")
      ->group("Global options");
  add_text(app, "--state-dir", global.state_dir, "where states are kept")
      ->envname("CAMPAIGNCTL_STATE_DIR")
      ->type_name("DIR")
      ->group("Global options");
}

struct Tree {
  CLI::App app{"Runs measurement campaigns in containers and loses nothing.", "campaignctl"};
  std::map<std::string, CLI::App*> groups;
  std::vector<std::pair<const Command*, CLI::App*>> leaves;
};

CLI::App* group_of(Tree& tree, const std::string& name) {
  CLI::App*& group = tree.groups[name];
  if (group == nullptr) {
    static const std::map<std::string_view, std::string> summaries = {
        {"journal", "what happened: cat, fsck, compact"},
        {"results", "figures: list, show, export"},
        {"compose", "compose files without a campaign"}};
    group = tree.app.add_subcommand(name, summaries.at(name));
    group->require_subcommand(1);
    group->fallthrough();
    std::string examples;
    for (const Command& command : commands())
      if (command.name.starts_with(name + " ")) examples += command.examples;
    group->footer(examples_title + examples);
  }
  return group;
}

void build(Tree& tree, Parsed& parsed, const std::vector<std::string>& chosen) {
  add_globals(tree.app, parsed.arguments.global);
  tree.app.require_subcommand(1);
  tree.app.fallthrough();
  tree.app.set_help_flag("-h,--help", "this help");
  tree.app.footer(std::string(examples_title) +
                  "  campaignctl up campaign.yaml          run it, or go on with it\n"
                  "  campaignctl status --watch            look at it from anywhere\n"
                  "  campaignctl results show              what came out\n"
                  "  campaignctl run -- sleep 0.1          measure a command, no file needed\n"
                  "\n`campaignctl COMMAND --help` shows a command's options and examples.\n");
  for (const Command& command : commands()) {
    const std::string name(command.name);
    const std::size_t blank = name.find(' ');
    const bool fresh = !tree.groups.contains(first_word(name));
    CLI::App& parent =
        blank == std::string::npos ? tree.app : *group_of(tree, name.substr(0, blank));
    if (fresh && first_word(name) == "compose")
      add_compose_options(parent, compose_options(), parsed.arguments.compose);
    CLI::App* leaf = parent.add_subcommand(name.substr(blank + 1), std::string(command.summary));
    tree.leaves.emplace_back(&command, leaf);
    if (chosen.empty() || first_word(name) != chosen.front()) continue;
    leaf->fallthrough();
    leaf->set_help_flag("-h,--help", "this help");
    leaf->footer(examples_title + std::string(command.examples));
    adder_of(command.name)(*leaf, parsed.arguments);
    add_compose(*leaf, command.name, parsed.arguments.compose);
  }
}

void refuse_parse_error(const CLI::ParseError& error, const std::vector<std::string>& chosen) {
  const std::string where = chosen.empty() ? "" : chosen.front() + " ";
  std::string what = error.what();
  std::replace(what.begin(), what.end(), '\n', ' ');
  refuse(what + "; see `campaignctl " + where + "--help`");
}

std::string help_of(Tree& tree) {
  CLI::App* deepest = &tree.app;
  while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().front();
  std::string prefix;
  for (CLI::App* at = deepest->get_parent(); at != nullptr; at = at->get_parent())
    prefix = at->get_name() + (prefix.empty() ? "" : " ") + prefix;
  return deepest->help(prefix);
}

}  // namespace

Parsed parse(const std::vector<std::string>& words) {
  auto dashes = std::find(words.begin(), words.end(), "--");
  std::vector<std::string> ours(words.begin(), dashes);
  const std::vector<std::string> chosen = command_words(ours);
  check_command(chosen);
  if (!chosen.empty() && chosen.front() == "compose") {
    dashes = words.end();
    ours = words;
  }

  Parsed parsed;
  Tree tree;
  build(tree, parsed, chosen);
  if (dashes != words.end()) {
    if (chosen.empty() || chosen.front() != "run") refuse("`--` belongs to `campaignctl run`");
    parsed.arguments.run.command.assign(dashes + 1, words.end());
  }
  if (ours.empty()) {
    parsed.answer = tree.app.help();
    return parsed;
  }
  std::reverse(ours.begin(), ours.end());
  try {
    tree.app.parse(ours);
  } catch (const CLI::CallForHelp&) {
    parsed.answer = help_of(tree);
    return parsed;
  } catch (const CLI::ParseError& error) {
    refuse_parse_error(error, chosen);
  }
  for (const auto& [command, leaf] : tree.leaves) {
    if (!leaf->parsed()) continue;
    parsed.command = command;
    take_words(*leaf, command->name, words, parsed.arguments.compose);
  }
  return parsed;
}

}  // namespace controller::cli
