#include <nlohmann/json.hpp>

#include "campaign/state/files.hpp"
#include "campaign/state/session_state.hpp"
#include "controller/cli/commands.hpp"
#include "controller/cli/record_text.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

using Json = nlohmann::ordered_json;

struct JournalCheck {
  Located located;
  campaign::JournalReading reading;
  campaign::Fold fold;
  std::vector<std::string> doubtful;  // runs whose records may be among what was lost
};

std::unique_ptr<campaign::Lock> take_lock(const Located& located) {
  const std::string unsafe = campaign::unsafe_ownership(located.session.folder);
  if (!unsafe.empty()) throw CommandError(ExitCode::environment, unsafe);
  campaign::Lock::Attempt attempt =
      campaign::Lock::take(located.session.lock(), campaign::system_clock());
  if (!attempt.lock)
    throw CommandError(ExitCode::held, located.campaign_id + " is being run by " +
                                           attempt.holder.text() + "; `campaignctl stop " +
                                           located.campaign_id + "` first");
  return std::move(attempt.lock);
}

// Every run that is not done: a lost record can only have moved it on.
std::vector<std::string> runs_in_doubt(const Located& located, const JournalCheck& check) {
  if (!check.reading.damaged() && check.fold.violations.empty()) return {};
  std::vector<std::string> doubtful;
  const SessionView view = read_session(located);
  for (const campaign::PlannedRun& planned : view.manifest.plan.runs) {
    const std::string id = campaign::run_id(view.manifest.plan, planned);
    if (!check.fold.run(id).done()) doubtful.push_back(id);
  }
  return doubtful;
}

JournalCheck check_journal(const Located& located) {
  JournalCheck check{.located = located, .reading = {}, .fold = {}, .doubtful = {}};
  campaign::SessionState state = campaign::read_session_without_snapshot(located.session);
  check.reading = std::move(state.reading);
  check.fold = std::move(state.fold);
  check.doubtful = runs_in_doubt(located, check);
  return check;
}

bool whole(const JournalCheck& check) {
  return !check.reading.damaged() && check.fold.violations.empty();
}

std::string check_text(const JournalCheck& check) {
  std::string out = check.located.session.journal().string() + ": " +
                    plural(check.reading.records, "record") + " of " +
                    plural(check.reading.offsets.size(), "controller") + "\n";
  for (const campaign::Damage& damage : check.reading.damage)
    out += "  " + damage.file + " at byte " + std::to_string(damage.offset) + ", " +
           std::to_string(damage.bytes) + " bytes: " + damage.what +
           (damage.tail ? " (a torn end, left out)" : "") + "\n";
  for (const std::string& violation : check.fold.violations)
    out += "  impossible transition: " + violation + "\n";
  if (!check.doubtful.empty())
    out +=
        plural(check.doubtful.size(), "run") + " in doubt: " + joined(check.doubtful, " ") + "\n";
  if (check.reading.damaged())
    out += "damaged; `campaignctl journal fsck --repair` goes on without the damaged ranges\n";
  else if (!whole(check))
    out += "whole, but not consistent; please report it\n";
  else
    out += "whole\n";
  return out;
}

std::string check_json(const JournalCheck& check, bool repaired) {
  Json damage = Json::array();
  for (const campaign::Damage& one : check.reading.damage)
    damage.push_back({{"file", one.file},
                      {"offset", one.offset},
                      {"bytes", one.bytes},
                      {"what", one.what},
                      {"torn_end", one.tail}});
  const Json object = {{"schema_version", 1},
                       {"campaign_id", check.located.campaign_id},
                       {"journal", check.located.session.journal().string()},
                       {"records", check.reading.records},
                       {"whole", whole(check)},
                       {"repaired", repaired},
                       {"damage", damage},
                       {"violations", check.fold.violations},
                       {"runs_in_doubt", check.doubtful}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

int repair(const Arguments& arguments, const Located& located, Console& console) {
  const std::unique_ptr<campaign::Lock> lock = take_lock(located);
  const JournalCheck check = check_journal(located);
  const bool damaged = check.reading.damaged();
  if (damaged) {
    campaign::repair_journal(located.session.journal(), check.reading.damage);
    std::error_code ignored;
    std::filesystem::remove(located.session.snapshot(), ignored);
  }
  if (arguments.global.json)
    console.out << check_json(check, damaged);
  else if (damaged)
    console.out << check_text(check)
                << "repaired: the damaged ranges lie beside the journal as *.damaged-<n>; "
                   "`campaignctl resume "
                << located.campaign_id << "` goes on\n";
  else
    console.out << check_text(check);
  return 0;
}

}  // namespace

int journal_cat_command(const Arguments& arguments, Console& console) {
  const Located located = locate(locate_request(arguments, arguments.journal.campaign));
  const auto print = [&](campaign::Record&& record) {
    if (arguments.global.json) {
      console.out << campaign::encode_record(record) << "\n";
      return;
    }
    const RecordText text = record_text(record);
    console.out << painted(record.t, Paint::dim, console.style.color) << "  "
                << painted(text.event, Paint::bold, console.style.color)
                << (text.run.empty() ? "" : " " + text.run)
                << (text.members.empty() ? "" : "  " + text.members) << "\n";
  };
  const campaign::JournalReading reading =
      campaign::read_journals(located.session.journal(), {}, print);
  if (!reading.damaged()) return 0;
  throw CommandError(ExitCode::damaged,
                     "the journal is damaged; `campaignctl journal fsck` says where");
}

int journal_fsck_command(const Arguments& arguments, Console& console) {
  const Located located = locate(locate_request(arguments, arguments.journal.campaign));
  if (arguments.journal.repair) return repair(arguments, located, console);
  const JournalCheck check = check_journal(located);
  console.out << (arguments.global.json ? check_json(check, false) : check_text(check));
  return static_cast<int>(whole(check) ? ExitCode::ok : ExitCode::damaged);
}

int journal_compact_command(const Arguments& arguments, Console& console) {
  const Located located = locate(locate_request(arguments, arguments.journal.campaign));
  const std::unique_ptr<campaign::Lock> lock = take_lock(located);
  const JournalCheck check = check_journal(located);
  if (!whole(check))
    throw CommandError(ExitCode::damaged,
                       "the journal is damaged, compaction would hide it; "
                       "`campaignctl journal fsck` says where");
  const campaign::Compaction compaction = campaign::compact_journal(located.session);
  if (arguments.global.json)
    console.out << Json({{"schema_version", 1},
                         {"campaign_id", located.campaign_id},
                         {"records", compaction.records},
                         {"bytes_before", compaction.bytes_before},
                         {"bytes_after", compaction.bytes_after}})
                       .dump()
                << "\n";
  else if (arguments.global.verbosity >= 0)
    console.out << located.campaign_id << ": " << plural(compaction.records, "record")
                << " compacted, " << compaction.bytes_before << " -> " << compaction.bytes_after
                << " bytes\n";
  return 0;
}

}  // namespace controller::cli
