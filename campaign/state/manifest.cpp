#include "campaign/state/manifest.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>

#include "campaign/config/loader.hpp"
#include "campaign/state/files.hpp"
#include "campaign/state/members.hpp"

namespace campaign {

namespace {

namespace fs = std::filesystem;
using json_text::ObjectReader;
using json_text::ObjectWriter;
using json_text::Reader;

constexpr int schema = 1;

template <class V, class T>
void head_members(V& visit, T& manifest) {
  visit.always("uid", manifest.uid);
  visit.always("session", manifest.session);
  visit.always("created_utc", manifest.created_utc);
  visit.always("campaign_id", manifest.campaign_id);
  visit.always("name", manifest.name);
  visit.always("file", manifest.file);
  visit.always("config_hash", manifest.config_hash);
  visit.always("state_dir", manifest.state_dir);
  visit.always("results_dir", manifest.results_dir);
  visit.always("seed", manifest.plan.seed);
}

class ManifestWriter {
 public:
  explicit ManifestWriter(const Manifest& manifest) : manifest_(manifest) {}

  std::string write() {
    const Plan& plan = manifest_.plan;
    out_.reserve(plan.runs.size() * 80 + plan.experiments.size() * 1024 + 4096);
    out_ = "{\n\"schema\":" + std::to_string(schema) + ",\n";
    std::string head = "{";
    ObjectWriter visit(head);
    head_members(visit, manifest_);
    out_ += head.substr(1);
    write_maps();
    out_ += ",\n\"warnings\":[";
    for (const std::string& warning : plan.warnings) {
      if (out_.back() != '[') out_ += ',';
      json_text::append_string(out_, warning);
    }
    out_ += "],\n\"document\":" + to_json(manifest_.document) + ",\n\"experiments\":[";
    for (const Experiment& experiment : plan.experiments) write_experiment(experiment);
    out_ += "\n],\n\"runs\":[";
    for (const PlannedRun& run : plan.runs) write_run(run);
    out_ += "\n]\n}\n";
    return std::move(out_);
  }

 private:
  void write_maps() {
    out_ += ",\n\"images\":[";
    for (const auto& [name, image] : manifest_.images) {
      out_ += out_.back() == '[' ? "{" : ",{";
      ObjectWriter visit(out_);
      visit.always("image", name);
      visit("id", image.id);
      visit("identity", image.identity);
      out_ += '}';
    }
    out_ += ']';
    if (!manifest_.services.empty()) out_ += ",\n\"services\":" + services_text();
    out_ += ",\n\"environment\":{";
    for (const auto& [key, value] : manifest_.environment) {
      if (out_.back() != '{') out_ += ',';
      json_text::append_string(out_, key);
      out_ += ':';
      json_text::append_string(out_, value);
    }
    out_ += '}';
  }

  std::string services_text() const {
    Value::Map all;
    for (const auto& [name, said] : manifest_.services) all.emplace_back(name, said);
    return to_json(Value::map(std::move(all)));
  }

  void write_experiment(const Experiment& experiment) {
    out_ += out_.back() == '[' ? "\n{" : ",\n{";
    ObjectWriter visit(out_);
    visit.always("name", experiment.name);
    visit("backend", experiment.backend);
    if (experiment.strategy == Strategy::persistent)
      visit.always("strategy", std::string(name_of(experiment.strategy)));
    visit.always("hash", experiment.hash);
    visit.named("axes") += to_json(experiment.axes);
    visit.named("config") += to_json(experiment.config);
    visit.named("provenance") += '[';
    for (const Provenance& entry : experiment.provenance) {
      out_ += out_.back() == '[' ? "[" : ",[";
      json_text::append_string(out_, entry.key);
      for (const std::string* text : {&entry.value, &entry.source, &entry.source_detail}) {
        out_ += ',';
        json_text::append_string(out_, *text);
      }
      out_ += ']';
    }
    out_ += "]}";
  }

  void write_run(const PlannedRun& run) {
    out_ += out_.back() == '[' ? "\n{" : ",\n{";
    ObjectWriter visit(out_);
    visit.always("run", run_name(run));
    visit.always("experiment", static_cast<std::int64_t>(run.experiment));
    visit.always("cycle", static_cast<std::int64_t>(run.cycle));
    visit("block", static_cast<std::int64_t>(run.block));
    out_ += '}';
  }

  std::string run_name(const PlannedRun& run) const {
    const std::string& experiment = manifest_.plan.experiments.at(run.experiment).name;
    return experiment + (run.cycle < 10 ? ".c0" : ".c") + std::to_string(run.cycle);
  }

  const Manifest& manifest_;
  std::string out_;
};

class ManifestReader {
 public:
  explicit ManifestReader(std::string_view text) : top_(text) {}

  Manifest read() {
    int found = 0;
    top_.always("schema", found);
    if (found != schema) {
      throw json_text::Error("schema " + std::to_string(found) + ", this program reads schema " +
                             std::to_string(schema));
    }
    head_members(top_, manifest_);
    read_maps();
    top_("warnings", manifest_.plan.warnings);
    manifest_.document = from_json(member("document"));
    read_experiments();
    read_runs();
    return std::move(manifest_);
  }

 private:
  std::string_view member(const char* key) {
    const auto* raw = top_.find(key);
    if (raw == nullptr) throw json_text::Error(std::string("\"") + key + "\" is missing");
    return *raw;
  }

  void read_maps() {
    Reader images(member("images"));
    images.begin_array();
    while (images.next_element()) {
      ObjectReader visit(images.raw());
      event::ImageResolved image;
      visit.always("image", image.image);
      visit("id", image.id);
      visit("identity", image.identity);
      const std::string name = image.image;
      manifest_.images[name] = std::move(image);
    }
    if (const auto* services = top_.find("services")) {
      Value all = from_json(*services);
      for (auto& [name, said] : all.members()) manifest_.services[name] = std::move(said);
    }
    Reader environment(member("environment"));
    environment.begin_object();
    for (std::string_view key; environment.next_member(key);) {
      std::string name = Reader::unescape(key);
      manifest_.environment[std::move(name)] = environment.string();
    }
  }

  void read_experiments() {
    Reader list(member("experiments"));
    list.begin_array();
    while (list.next_element()) {
      Experiment& experiment = manifest_.plan.experiments.emplace_back();
      ObjectReader visit(list.raw());
      visit.always("name", experiment.name);
      visit("backend", experiment.backend);
      std::string strategy;
      visit("strategy", strategy);
      if (strategy == name_of(Strategy::persistent)) experiment.strategy = Strategy::persistent;
      visit.always("hash", experiment.hash);
      if (const auto* axes = visit.find("axes")) experiment.axes = from_json(*axes);
      const auto* config = visit.find("config");
      if (config == nullptr)
        throw json_text::Error("experiment " + experiment.name + " has no \"config\"");
      experiment.config = from_json(*config);
      if (const auto* provenance = visit.find("provenance"))
        read_provenance(*provenance, experiment);
    }
  }

  static void read_provenance(std::string_view raw, Experiment& experiment) {
    Reader list(raw);
    list.begin_array();
    while (list.next_element()) {
      std::array<std::string, 4> texts;
      Reader entry(list.raw());
      entry.begin_array();
      for (std::size_t i = 0; entry.next_element(); ++i) {
        if (i == texts.size()) entry.fail("a provenance has four texts");
        texts[i] = entry.string();
      }
      experiment.provenance.push_back({texts[0], texts[1], texts[2], texts[3]});
    }
  }

  void read_runs() {
    const std::string_view raw = member("runs");
    Plan& plan = manifest_.plan;
    plan.runs.reserve(static_cast<std::size_t>(std::count(raw.begin(), raw.end(), '\n')));
    Reader list(raw);
    list.begin_array();
    while (list.next_element()) {
      list.begin_object();
      std::int64_t experiment = -1, cycle = 0, block = 0;
      for (std::string_view key; list.next_member(key);) {
        if (key == "experiment")
          experiment = list.integer();
        else if (key == "cycle")
          cycle = list.integer();
        else if (key == "block")
          block = list.integer();
        else
          list.raw();
      }
      const bool known =
          experiment >= 0 && experiment < static_cast<std::int64_t>(plan.experiments.size());
      if (!known || cycle < 1 || cycle > 1'000'000'000 || block < 0 || block > 1'000'000'000) {
        throw json_text::Error("run " + std::to_string(plan.runs.size() + 1) +
                               " names no experiment of this manifest, or no cycle");
      }
      plan.runs.push_back({static_cast<std::uint32_t>(experiment), static_cast<std::int32_t>(cycle),
                           static_cast<std::int32_t>(block)});
    }
  }

  ObjectReader top_;
  Manifest manifest_;
};

fs::path manifest_path(const SessionFolder& session, const fs::path& filename, int revision) {
  if (revision == 0) return session.folder / filename;
  return session.folder / (filename.stem().string() + "." + std::to_string(revision) +
                           filename.extension().string());
}

std::vector<int> revisions(const SessionFolder& session, const fs::path& filename) {
  const std::string stem = filename.stem().string() + ".";
  const std::string extension = filename.extension().string();
  std::vector<int> found = {0};
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(session.folder, gone)) {
    const std::string name = entry.path().filename();
    if (name.size() <= stem.size() + extension.size()) continue;
    if (!name.starts_with(stem) || !name.ends_with(extension)) continue;
    const char* end = name.data() + name.size() - extension.size();
    int revision = 0;
    const auto result = std::from_chars(name.data() + stem.size(), end, revision);
    if (result.ec == std::errc() && result.ptr == end && revision > 0) found.push_back(revision);
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

}  // namespace

std::string draw_uid() {
  std::array<unsigned char, 16> bytes{};
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t n = ::getrandom(bytes.data() + have, bytes.size() - have, 0);
    if (n < 0 && errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "cannot draw a uid");
    have += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  std::string uid;
  for (const unsigned char byte : bytes) {
    constexpr char digits[] = "0123456789abcdef";
    uid += digits[byte >> 4];
    uid += digits[byte & 15];
  }
  return uid;
}

Campaign campaign_of(const Manifest& manifest) {
  Campaign campaign = decode_campaign(manifest.document, manifest.file);
  add_services(campaign, manifest.services);
  return campaign;
}

std::string write_manifest(const Manifest& manifest) { return ManifestWriter(manifest).write(); }

Manifest read_manifest(const std::string& text) {
  try {
    return ManifestReader(text).read();
  } catch (const std::exception& error) {
    throw std::runtime_error(std::string("not a whole manifest: ") + error.what());
  }
}

Manifest latest_manifest(const SessionFolder& session, const std::string& filename) {
  std::string reasons;
  for (const int revision : revisions(session, filename)) {
    const fs::path path = manifest_path(session, filename, revision);
    try {
      return read_manifest(read_file(path));
    } catch (const std::system_error& error) {
      reasons += std::string("\n  ") + error.what();
    } catch (const std::runtime_error& error) {
      reasons += "\n  " + path.string() + ": " + error.what();
    }
  }
  throw std::runtime_error("no whole manifest in " + session.folder.string() + ":" + reasons);
}

int latest_revision(const SessionFolder& session, const std::string& filename) {
  const auto found = revisions(session, filename);
  return found.empty() ? 0 : *std::max_element(found.begin(), found.end());
}

void store_manifest(const SessionFolder& session, const Manifest& manifest, int revision) {
  make_private_folders(session.folder);
  const Value* written = manifest.document.at_path("io.manifest_filename");
  const bool named = written != nullptr && written->kind() == Value::Kind::string;
  const fs::path filename =
      named ? fs::path(written->as_string()).filename() : "campaign_manifest.json";
  write_exclusively(manifest_path(session, filename, revision), write_manifest(manifest));
}

}  // namespace campaign
