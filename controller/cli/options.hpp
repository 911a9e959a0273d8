// What a command line says, as plain data. parse.cpp fills it, the commands read it, nothing else
// knows CLI11.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "campaign/state/files.hpp"
#include "controller/session.hpp"

namespace controller::cli {

enum class Color { automatic, always, never };

struct Globals {
  int verbosity = 0;  // -1 quiet, 0, 1 verbose
  bool json = false;
  Color color = Color::automatic;
  std::string state_dir;  // --state-dir, else CAMPAIGNCTL_STATE_DIR, "" = not said
};

// A campaign file and what the command line lays over it.
struct FileArguments {
  std::string file;
  std::vector<std::string> sets;  // dotted.key=value, in the order of LoadRequest
  std::string results_dir;        // relative to the working folder, "" = as in the file
};

struct UpArguments {
  FileArguments source;
  UpOptions options;
  bool dry_run = false;
  bool yes = false;
};

struct RunArguments {
  std::string image;  // "" = the local runner
  bool local = false;
  std::vector<std::string> axes;  // K=V,V
  int cycles = 10;
  std::string gpus;  // as the runner's `gpus`, "" = not said
  std::string save;  // file for the figures, "" = none
  std::vector<std::string> command;
};

struct StatusArguments {
  std::string campaign;
  std::optional<double> watch;  // seconds between two looks
  bool runs = false, workers = false;
  std::string why;  // a run
};

struct PlanArguments {
  FileArguments source;
  UpOptions options;
  bool explain = false;
  std::string as;  // "docker", "" = the table
};

struct StopArguments {
  std::string campaign;
  campaign::StopRequest::When when = campaign::StopRequest::When::after_run;
};

struct DownArguments {
  std::string campaign;
  bool orphans = false, force = false;
};

struct LogsArguments {
  std::string run;  // a selector that names one run
  std::string campaign;
  bool follow = false;
  int attempt = 0;  // 0 = the accepted one, else the last
};

struct ResultsArguments {
  std::string campaign;
  std::string run;               // show: a selector, "" = the summary
  std::string format = "table";  // table, csv, json
  bool tidy = false;
  std::vector<std::string> group_by, metrics;
};

struct GpusArguments {
  std::string select;  // "" = only what there is
};

struct JournalArguments {
  std::string campaign;
  bool repair = false;
};

// Of all `compose` commands.
struct ComposeArguments {
  std::vector<std::string> files, profiles, env_files, services;
  std::string project_name, project_dir;               // "" = not said
  std::string format;                                  // config: yaml, json
  bool only_services = false;                          // config
  bool detach = false, wait = false, dry_run = false;  // up
  bool force_recreate = false, no_recreate = false;    // up
  bool remove_orphans = false, volumes = false;        // up and down; down
  std::string timeout;                                 // seconds: of conditions, of a stop
  std::string service, user, workdir;                  // exec
  bool no_terminal = false, interactive = false;       // exec
  std::vector<std::string> environment, command;       // exec
};

struct Arguments {
  Globals global;
  UpArguments up;
  std::string resume_campaign;
  UpOptions resume_options;
  RunArguments run;
  StatusArguments status;
  PlanArguments plan;
  FileArguments validate;
  StopArguments stop;
  DownArguments down;
  LogsArguments logs;
  ResultsArguments results;
  GpusArguments gpus;
  JournalArguments journal;
  ComposeArguments compose;
};

}  // namespace controller::cli
