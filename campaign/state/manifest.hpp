// campaign_manifest.json: the plan of a session, written once. A plan that grows writes
// campaign_manifest.<n>.json; the highest whole one counts. Everything that resume needs stands in
// it.
#pragma once

#include <filesystem>

#include "campaign/plan/plan.hpp"
#include "campaign/state/events.hpp"

namespace campaign {

struct Manifest {
  std::string uid;      // 32 lower hex digits, random
  std::string session;  // UTC start, 20261121T004300Z
  double created_utc = 0;
  std::string campaign_id, name;
  std::string file;                       // absolute path of the campaign file
  std::string config_hash;                // SHA-256 of the canonical document
  Value document;                         // of the campaign file, see campaign_of
  std::map<std::string, Value> services;  // Campaign::services
  Plan plan;
  std::string state_dir, results_dir;                  // absolute
  std::map<std::string, event::ImageResolved> images;  // image as written -> id and identity
  std::map<std::string, std::string> environment;      // of the controller: host, version
};

std::string draw_uid();  // from getrandom
// The campaign as it was when the manifest was made.
Campaign campaign_of(const Manifest& manifest);
std::string write_manifest(const Manifest& manifest);
Manifest read_manifest(const std::string& text);  // throws std::runtime_error with what is wrong

// Where things are in <state_dir>/<campaign_id>/<session>.
struct SessionFolder {
  std::filesystem::path folder;
  std::filesystem::path journal() const { return folder / "journal"; }
  std::filesystem::path heartbeat() const { return folder / "heartbeat"; }
  std::filesystem::path control() const { return folder / "control"; }
  std::filesystem::path snapshot() const { return folder / "snapshot.json"; }
  std::filesystem::path lock() const { return folder.parent_path() / "controller.lock"; }
};
// The highest whole manifest of a session. Throws std::runtime_error when none is whole.
Manifest latest_manifest(const SessionFolder& session, const std::string& filename);
int latest_revision(const SessionFolder& session,
                    const std::string& filename);  // the highest there, 0 for none
// Revision 0 is <filename>, n > 0 is <stem>.<n>.json; <filename> is the document's
// io.manifest_filename, else campaign_manifest.json. Made exclusively: std::system_error with
// EEXIST when that revision is there.
void store_manifest(const SessionFolder& session, const Manifest& manifest, int revision);

}  // namespace campaign
