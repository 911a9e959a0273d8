#include "campaign/plan/expand.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_set>

#include "campaign/plan/axes.hpp"

namespace campaign {
namespace {

const Value* member(const Value& map, std::string_view key) {
  return map.is_map() ? map.at_path(key) : nullptr;
}

std::string text_of(const Value* value) {
  return value != nullptr && value->kind() == Value::Kind::string ? value->as_string() : "";
}

class Expander {
 public:
  Expander(const Campaign& campaign, Notices& notices) : campaign_(campaign), notices_(notices) {}

  std::vector<Draft> drafts() {
    for (const std::string& path : campaign_.configs) add_config(path);
    mark_varying_leaves();
    add_points();
    for (std::size_t i = 0; i < campaign_.experiments.size(); ++i) add_entry(i);
    check_backends();
    split_strategies();
    if (drafts_.empty() && !notices_.any())
      notices_.problem({.file = campaign_.file}, "",
                       "no experiments; give `axes`, `configs` or `experiments`");
    return std::move(drafts_);
  }

 private:
  struct Document {
    Value value = Value::map({});
    std::string name;
    bool usable = true;
  };

  const Document& document(const std::string& path) {
    const auto [at, fresh] = documents_.try_emplace(path);
    if (fresh) read(path, at->second);
    return at->second;
  }

  void read(const std::string& path, Document& into) {
    try {
      into.value = load_document(path, process_environment());
    } catch (const ConfigError& error) {
      into.usable = false;
      for (const Diagnostic& each : error.diagnostics())
        notices_.problem(each.origin, each.key, each.message);
      return;
    }
    into.name = text_of(into.value.find("config_name"));
    if (into.name.empty()) into.name = std::filesystem::path(path).stem().string();
  }

  struct Base {
    Layers layers;
    Draft draft;
  };

  Base begin(const Document* file, const std::string& backend) {
    Base base;
    if (file != nullptr) {
      base.layers.apply(file->value, Layer::file);
      base.layers.remove("_metadata");
    }
    base.layers.apply(campaign_.set, Layer::set);
    if (const auto extra = campaign_.per_backend.find(backend);
        extra != campaign_.per_backend.end())
      base.layers.apply(extra->second.set, Layer::per_backend);
    used_backends_.insert(backend);
    base.draft.experiment.axes = Value::map({});
    return base;
  }

  void finish(Base base, const std::string& backend) {
    if (backend.find_first_of("{}") != backend.npos)
      notices_.problem(base.draft.origin, "backend",
                       "`" + backend + "` holds braces; expected a name");
    base.layers.fill_in(campaign_.vars, notices_);
    Experiment& experiment = base.draft.experiment;
    experiment.backend = backend;
    experiment.provenance = base.layers.provenance();
    experiment.config = base.layers.take();
    if (base.draft.base.empty()) base.draft.base = backend;
    drafts_.push_back(std::move(base.draft));
  }

  void add_config(const std::string& path) {
    const Document& file = document(path);
    if (!file.usable) return;
    const auto [at, fresh] = config_names_.emplace(file.name, path);
    if (!fresh)
      notices_.problem({.file = path}, "config_name",
                       "this file and " + at->second + " are both named `" + file.name +
                           "`; give one of them another `config_name`");
    std::string backend = text_of(member(campaign_.set, "backend"));
    if (backend.empty()) backend = text_of(file.value.find("backend"));
    Base base = begin(&file, backend);
    base.draft.wish = file.name;
    base.draft.templated = false;
    base.draft.origin = {.file = path};
    finish(std::move(base), backend);
  }

  void mark_varying_leaves() {
    std::map<std::string, std::map<std::string, std::size_t>> values;
    for (const Draft& draft : drafts_)
      for (const auto& [key, leaf] : leaves(draft.experiment.config))
        ++values[key][canonical_json(*leaf)];
    for (Draft& draft : drafts_)
      for (const auto& [key, leaf] : leaves(draft.experiment.config))
        if (key != "config_name" && values[key].begin()->second < drafts_.size())
          draft.experiment.axes.members().emplace_back(key, *leaf);
  }

  void add_points() {
    const std::vector<Point> points = axis_points(campaign_, notices_);
    std::map<std::string_view, std::map<std::string, std::size_t>> values;
    std::map<const Value*, std::string> texts;
    for (const Point& point : points)
      for (const Coordinate& each : point.coordinates) {
        std::string& text = texts[each.value];
        if (text.empty()) text = canonical_json(*each.value);
        ++values[each.key][text];
      }
    for (const Point& point : points) {
      Base base = begin(nullptr, point.backend);
      base.draft.origin = place(campaign_, "axes");
      for (const Coordinate& each : point.coordinates)
        base.layers.put(std::string(each.key), *each.value, Layer::axis);
      const std::size_t number = drafts_.size();
      finish(std::move(base), point.backend);
      Experiment& made = drafts_[number].experiment;
      for (const Coordinate& each : point.coordinates)
        if (values[each.key].begin()->second < points.size())
          made.axes.members().emplace_back(each.key, *made.config.at_path(each.key));
    }
  }

  void add_entry(std::size_t number) {
    const ExperimentEntry& entry = campaign_.experiments[number];
    const Document* file = entry.config.empty() ? nullptr : &document(entry.config);
    if (file != nullptr && !file->usable) return;
    std::string backend = text_of(member(entry.set, "backend"));
    if (backend.empty()) backend = entry.backend;
    if (backend.empty()) backend = text_of(member(campaign_.set, "backend"));
    if (backend.empty() && file != nullptr) backend = text_of(file->value.find("backend"));
    Base base = begin(file, backend);
    base.draft.wish = entry.name;
    base.draft.origin = entry.origin;
    if (file != nullptr) base.draft.base = file->name;
    if (!entry.backend.empty()) {
      Value name = Value::string(entry.backend);
      name.set_origin(entry.origin);
      base.layers.put("backend", name, Layer::experiment);
    }
    base.layers.apply(entry.set, Layer::experiment);
    finish(std::move(base), backend);
    Experiment& made = drafts_.back().experiment;
    if (!entry.backend.empty()) made.axes.members().emplace_back("backend", Value::string(backend));
    if (!entry.set.is_map()) return;
    for (const auto& [key, leaf] : leaves(entry.set))
      if (const Value* value = made.config.at_path(key); value && made.axes.find(key) == nullptr)
        made.axes.members().emplace_back(key, *value);
  }

  void check_backends() {
    for (const auto& [name, extra] : campaign_.per_backend)
      if (!used_backends_.contains(name))
        notices_.warning(place(campaign_, "per_backend." + name).text() + ": per_backend." + name +
                         ": no experiment has this backend");
  }

  // A runner with several strategies runs each of its experiments in each of them.
  void split_strategies() {
    std::vector<Draft> all;
    for (Draft& draft : drafts_) {
      const Runner* runner = runner_for(campaign_, draft.experiment.backend);
      if (runner == nullptr || runner->strategy.size() == 1) {
        if (runner != nullptr) draft.experiment.strategy = runner->strategy.front();
        all.push_back(std::move(draft));
        continue;
      }
      for (const Strategy strategy : runner->strategy) {
        Draft half = draft;
        half.experiment.strategy = strategy;
        const std::string name = name_of(strategy);
        if (!half.wish.empty()) half.wish += "-" + name;
        half.experiment.axes.members().emplace_back("strategy", Value::string(name));
        all.push_back(std::move(half));
      }
    }
    drafts_ = std::move(all);
  }

  const Campaign& campaign_;
  Notices& notices_;
  std::map<std::string, Document> documents_;
  std::map<std::string, std::string> config_names_;  // name -> path
  std::unordered_set<std::string> used_backends_;
  std::vector<Draft> drafts_;
};

}  // namespace

std::vector<Draft> expand_experiments(const Campaign& campaign, Notices& notices) {
  return Expander(campaign, notices).drafts();
}

}  // namespace campaign
