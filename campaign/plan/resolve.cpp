#include "campaign/plan/resolve.hpp"

#include <algorithm>
#include <stdexcept>

#include "campaign/config/placeholders.hpp"

namespace campaign {
namespace {

bool is_leaf(const Value& value) { return !value.is_map() || value.members().empty(); }

template <class V, class Visit>
void walk(V& value, const std::string& path, const Visit& visit) {
  if (is_leaf(value)) return visit(path, value);
  for (auto& [key, member] : value.members())
    walk(member, path.empty() ? key : path + "." + key, visit);
}

template <class V, class Visit>
void walk_strings(V& value, const Visit& visit) {
  if (value.kind() == Value::Kind::string) return visit(value);
  if (value.is_list())
    for (auto& item : value.items()) walk_strings(item, visit);
  if (value.is_map())
    for (auto& [key, member] : value.members()) walk_strings(member, visit);
}

std::vector<std::string> references(const std::string& text) {
  std::vector<std::string> keys;
  for (std::size_t at = text.find("{p."); at != text.npos; at = text.find("{p.", at + 3)) {
    const std::size_t end = text.find_first_of("}?", at + 3);
    if (end == text.npos) break;
    const char before = at == 0 ? ' ' : text[at - 1];
    const bool escaped = before == '{' && text.compare(end, 2, "}}") == 0;
    if (before != '$' && !escaped) keys.push_back(text.substr(at + 3, end - at - 3));
  }
  return keys;
}

class Filling {
 public:
  Filling(Value& config, const Value& vars, Notices& notices)
      : config_(config), vars_(vars), notices_(notices) {}

  void add(Value& value, const std::string& key) {
    walk_strings(value, [&](Value& text) {
      if (text.as_string().find('{') == std::string::npos) return;
      index_.emplace(&text, leaves_.size());
      leaves_.push_back({.value = &text, .key = key});
    });
  }

  void run() {
    for (std::size_t i = 0; i < leaves_.size(); ++i) settle(i);
  }

 private:
  enum class State { waiting, open, done };
  struct Leaf {
    Value* value;
    std::string key;
    State state = State::waiting;
  };

  void settle(std::size_t number) {
    if (leaves_[number].state == State::done) return;
    if (leaves_[number].state == State::open) return report_circle(number);
    leaves_[number].state = State::open;
    open_.push_back(number);
    for (const std::string& key : references(leaves_[number].value->as_string())) settle_path(key);
    open_.pop_back();
    if (leaves_[number].state == State::open) fill(leaves_[number]);
    leaves_[number].state = State::done;
  }

  void settle_path(const std::string& key) {
    for (std::size_t dot = key.find('.'); dot != key.npos; dot = key.find('.', dot + 1))
      if (const Value* above = config_.at_path(key.substr(0, dot)); above && above->is_scalar())
        settle_value(*above);
    if (const Value* value = config_.at_path(key)) settle_value(*value);
  }

  void settle_value(const Value& value) {
    std::vector<std::size_t> wanted;
    walk_strings(value, [&](const Value& text) {
      if (const auto at = index_.find(&text); at != index_.end()) wanted.push_back(at->second);
    });
    for (const std::size_t number : wanted) settle(number);
  }

  void report_circle(std::size_t number) {
    std::string chain;
    auto at = std::find(open_.begin(), open_.end(), number);
    for (; at != open_.end(); ++at) {
      chain += leaves_[*at].key + " -> ";
      leaves_[*at].state = State::done;
    }
    notices_.problem(leaves_[number].value->origin(), leaves_[number].key,
                     "parameters refer to each other in a circle: " + chain + leaves_[number].key);
  }

  void fill(Leaf& leaf) {
    const Placeholders with{.parameters = &config_, .vars = &vars_, .names = {}};
    const Origin origin = leaf.value->origin();
    Expansion report;
    try {
      Value filled = expand_value(*leaf.value, with, &report);
      *leaf.value = std::move(filled);
      leaf.value->set_origin(origin);
    } catch (const std::runtime_error& error) {
      notices_.problem(origin, leaf.key, error.what());
    }
    for (const std::string& text : report.warnings)
      notices_.warning(origin.text() + ": " + leaf.key + ": " + text);
  }

  Value& config_;
  const Value& vars_;
  Notices& notices_;
  std::vector<Leaf> leaves_;
  std::unordered_map<const Value*, std::size_t> index_;
  std::vector<std::size_t> open_;
};

const char* source_name(Layer layer, const Value& value) {
  if (value.origin().file == "--set") return "cli";
  switch (layer) {
    case Layer::file:
      return "file";
    case Layer::set:
      return "set";
    case Layer::per_backend:
      return "per_backend";
    case Layer::axis:
      return "axis";
    case Layer::experiment:
      return "experiment";
  }
  return "";
}

}  // namespace

std::vector<std::pair<std::string, const Value*>> leaves(const Value& map) {
  std::vector<std::pair<std::string, const Value*>> result;
  walk(map, "", [&](const std::string& path, const Value& leaf) {
    if (!path.empty()) result.emplace_back(path, &leaf);
  });
  return result;
}

std::string shown(const Value& value) {
  if (value.kind() == Value::Kind::string) return value.as_string();
  if (value.is_scalar() && !value.written().empty()) return value.written();
  return canonical_json(value);
}

void Layers::apply(const Value& layer, Layer source) {
  if (!layer.is_map()) return;
  for (const auto& [key, value] : layer.members()) put(key, value, source);
}

void Layers::put(const std::string& key, const Value& value, Layer source) {
  const Value* below = value.is_map() ? config_.at_path(key) : nullptr;
  config_.set_path(key, below == nullptr ? value : merged(*below, value));
  walk(value, key, [&](const std::string& path, const Value&) { sources_[path] = source; });
}

void Layers::remove(std::string_view key) {
  std::erase_if(config_.members(), [&](const auto& member) { return member.first == key; });
}

void Layers::fill_in(const Value& vars, Notices& notices) {
  Filling filling(config_, vars, notices);
  walk(config_, "", [&](const std::string& path, Value& leaf) {
    const auto source = sources_.find(path);
    if (source != sources_.end() && source->second != Layer::file) filling.add(leaf, path);
  });
  filling.run();
}

Layer Layers::source_of(std::string path) const {
  while (true) {
    if (const auto source = sources_.find(path); source != sources_.end()) return source->second;
    const std::size_t dot = path.rfind('.');
    if (dot == path.npos) return Layer::file;
    path.resize(dot);
  }
}

std::vector<Provenance> Layers::provenance() const {
  std::vector<Provenance> result;
  for (const auto& [path, leaf] : leaves(config_))
    result.push_back({.key = path,
                      .value = shown(*leaf),
                      .source = source_name(source_of(path), *leaf),
                      .source_detail = leaf->origin().text()});
  return result;
}

}  // namespace campaign
