#include "campaign/plan/names.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

#include "campaign/config/placeholders.hpp"

namespace campaign {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lowered(std::string text) {
  for (char& c : text) c = lowered(c);
  return text;
}

void trim_end(std::string& name) {
  while (!name.empty() && !is_letter(name.back()) && !is_digit(name.back())) name.pop_back();
}

std::string initials(const std::string& word) {
  std::string letters;
  bool fresh = true;
  for (const char c : word) {
    const bool divides = c == '_' || c == '-';
    if (!divides && fresh) letters += c;
    fresh = divides;
  }
  return letters;
}

std::vector<std::string> short_forms(const std::string& key) {
  const std::string word = lowered(key.substr(key.rfind('.') + 1));
  std::vector<std::string> forms;
  if (word.find_first_of("_-") != word.npos)
    forms.push_back(initials(word));
  else if (word.size() > 3)
    for (std::size_t size = 1; size < word.size(); ++size) forms.push_back(word.substr(0, size));
  forms.push_back(word);
  forms.push_back(lowered(key));
  return forms;
}

std::string value_text(const Value& value) {
  if (value.is_list()) {
    std::string text;
    for (const Value& item : value.items()) text += (text.empty() ? "" : "_") + value_text(item);
    return text;
  }
  return value.is_null() ? "null" : shown(value);
}

bool is_word(const Value& value) {
  return value.kind() == Value::Kind::string && !value.as_string().empty() &&
         is_letter(value.as_string().front());
}

class Naming {
 public:
  Naming(const Campaign& campaign, std::vector<Draft>& drafts, Notices& notices)
      : campaign_(campaign), drafts_(drafts), notices_(notices) {}

  void run() {
    find_short_keys();
    for (const Draft& draft : drafts_) wishes_.push_back(wish(draft));
    refuse_equal_wishes();
    claim_unchanged();
    for (std::size_t i = 0; i < drafts_.size(); ++i) settle(i);
  }

 private:
  void find_short_keys() {
    std::vector<std::string> keys;
    std::unordered_set<std::string> seen{"backend"};
    for (const Draft& draft : drafts_)
      if (draft.wish.empty())
        for (const auto& [key, value] : draft.experiment.axes.members())
          if (seen.insert(key).second) keys.push_back(key);
    const auto forms = short_keys(keys);
    for (std::size_t i = 0; i < keys.size(); ++i) short_.emplace(keys[i], forms[i]);
  }

  std::string wish(const Draft& draft) {
    if (!draft.wish.empty()) return draft.wish;
    if (!campaign_.name_template.empty() && draft.templated) return from_template(draft);
    std::string name = draft.base;
    for (const auto& [key, value] : draft.experiment.axes.members()) {
      if (key == "backend" && draft.base == draft.experiment.backend) continue;
      const std::string text = value_text(value);
      std::string part = text;
      if (!is_word(value) && key != "backend")
        part = short_.at(key) + (!text.empty() && is_digit(text.front()) ? "" : "-") + text;
      name += (name.empty() ? "" : "-") + part;
    }
    return name.empty() ? campaign_.id : name;
  }

  std::string from_template(const Draft& draft) {
    const Placeholders with{.parameters = &draft.experiment.config,
                            .vars = &campaign_.vars,
                            .names = {{"campaign", campaign_.id}}};
    try {
      const Value* strategy = draft.experiment.axes.find("strategy");
      return expand(campaign_.name_template, with) + (strategy ? "-" + strategy->as_string() : "");
    } catch (const std::runtime_error& error) {
      notices_.problem(place(campaign_, "name_template"), "name_template", error.what());
      return campaign_.id;
    }
  }

  void refuse_equal_wishes() {
    std::unordered_map<std::string, const Draft*> wished;
    for (const Draft& draft : drafts_) {
      if (draft.wish.empty()) continue;
      const auto [at, fresh] = wished.emplace(draft.wish, &draft);
      if (!fresh)
        notices_.problem(draft.origin, "experiments",
                         "the name `" + draft.wish + "` is taken by the experiment at " +
                             at->second->origin.text() + "; names are unique");
    }
  }

  void claim_unchanged() {
    std::unordered_map<std::string, int> made;
    for (std::size_t i = 0; i < drafts_.size(); ++i) {
      safe_.push_back(safe_name(wishes_[i]));
      if (safe_[i] != wishes_[i]) continue;
      if (!drafts_[i].wish.empty())
        given_.insert(wishes_[i]);
      else
        ++made[wishes_[i]];
    }
    for (const std::string& name : given_) taken_.insert(name);
    for (const auto& [name, count] : made)
      if (count == 1 && taken_.insert(name).second) alone_.insert(name);
  }

  void settle(std::size_t number) {
    Experiment& experiment = drafts_[number].experiment;
    const auto& plain = drafts_[number].wish.empty() ? alone_ : given_;
    if (safe_[number] == wishes_[number] && plain.contains(wishes_[number])) {
      experiment.name = wishes_[number];
      return;
    }
    std::size_t digits = 6;
    do {
      experiment.name = name_with_digits(safe_[number], experiment.hash, digits);
      digits += 2;
    } while (!taken_.insert(experiment.name).second && digits <= 50);
  }

  const Campaign& campaign_;
  std::vector<Draft>& drafts_;
  Notices& notices_;
  std::unordered_map<std::string, std::string> short_;
  std::vector<std::string> wishes_, safe_;
  std::unordered_set<std::string> given_, alone_, taken_;
};

}  // namespace

std::string safe_name(std::string_view text) {
  std::string name;
  for (const char raw : text) {
    const char c = lowered(raw);
    const bool plain = is_letter(c) || is_digit(c);
    if (!plain && name.empty()) continue;
    if (plain || c == '.' || c == '_' || c == '-')
      name += c;
    else if (name.back() != '-')
      name += '-';
  }
  if (name.size() > longest_name) name.resize(longest_name);
  trim_end(name);
  return name;
}

std::string name_with_digits(const std::string& base, const std::string& hash, std::size_t digits) {
  std::string name = base.substr(0, std::min(base.size(), longest_name - digits - 1));
  trim_end(name);
  if (name.empty()) name = "experiment";
  return name + "-" + hash.substr(0, digits);
}

std::vector<std::string> short_keys(const std::vector<std::string>& keys) {
  std::vector<std::vector<std::string>> forms;
  for (const std::string& key : keys) forms.push_back(short_forms(key));
  std::vector<std::size_t> at(keys.size(), 0);
  for (bool moved = true; moved;) {
    moved = false;
    std::map<std::string, int> uses;
    for (std::size_t i = 0; i < keys.size(); ++i) ++uses[forms[i][at[i]]];
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (uses[forms[i][at[i]]] > 1 && at[i] + 1 < forms[i].size()) {
        ++at[i];
        moved = true;
      }
  }
  std::vector<std::string> result;
  for (std::size_t i = 0; i < keys.size(); ++i) result.push_back(forms[i][at[i]]);
  return result;
}

void name_experiments(const Campaign& campaign, std::vector<Draft>& drafts, Notices& notices) {
  Naming(campaign, drafts, notices).run();
}

void keep_names(Plan& plan, const std::vector<Experiment>& earlier) {
  std::unordered_map<std::string, const std::string*> known;
  for (const Experiment& each : earlier) known.emplace(each.hash, &each.name);
  std::unordered_set<std::string> taken;
  std::vector<Experiment*> newcomers;
  for (Experiment& each : plan.experiments) {
    const auto at = known.find(each.hash);
    if (at == known.end()) {
      newcomers.push_back(&each);
      continue;
    }
    each.name = *at->second;
    taken.insert(each.name);
  }
  for (Experiment* each : newcomers) {
    const std::string own = each->name;
    for (std::size_t digits = 6; !taken.insert(each->name).second && digits <= 50; digits += 2)
      each->name = name_with_digits(own, each->hash, digits);
  }
}

}  // namespace campaign
