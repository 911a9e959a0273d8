#include "campaign/plan/plan.hpp"

#include <algorithm>
#include <stdexcept>
#include <unordered_map>

#include "campaign/config/nearest.hpp"
#include "campaign/config/placeholders.hpp"
#include "campaign/plan/axes.hpp"
#include "campaign/plan/hash.hpp"
#include "campaign/plan/names.hpp"
#include "campaign/plan/resolve.hpp"

namespace campaign {
namespace {

std::string runner_key(const Campaign& campaign, const std::string& backend) {
  return campaign.runners.contains(backend) ? "runners." + backend : "runner";
}

void check_service(const Campaign& campaign, const std::string& name, const std::string& key,
                   Notices& notices) {
  if (campaign.services.contains(name)) return;
  const Origin at = place(campaign, key);
  if (name.empty())
    return notices.problem(at, key, "`service` is missing: no backend says which one it is");
  std::vector<std::string> known;
  for (const auto& [service, said] : campaign.services) known.push_back(service);
  notices.problem(at, key,
                  "the compose file has no service `" + name + "`" + did_you_mean(name, known));
}

// Two ids that no device of any host could both have.
bool never_one_device(const std::string& one, const std::string& other) {
  const auto is_index = [](const std::string& id) {
    return id.find_first_not_of("0123456789:") == std::string::npos;
  };
  if (is_index(one) != is_index(other)) return false;
  return is_index(one) ? one != other : !one.starts_with(other) && !other.starts_with(one);
}

std::string listed(const std::vector<std::string>& ids) {
  std::string text;
  for (const std::string& id : ids) text += (text.empty() ? "" : ", ") + id;
  return text;
}

// What a run asks for of a campaign that cannot have it on any host; "" = it can.
std::string contradiction(const GpuWish& campaigns, const GpuWish& runs) {
  using Kind = GpuWish::Kind;
  if (runs.kind == Kind::none) return "";
  if (campaigns.kind == Kind::none) return "its runs ask for GPUs, and the campaign's are `none`";
  if (campaigns.kind != Kind::ids) return "";
  const std::string theirs = listed(campaigns.ids);
  if (runs.kind == Kind::count && static_cast<std::size_t>(runs.count) > campaigns.ids.size())
    return std::to_string(runs.count) + " are more than the campaign's: " + theirs;
  for (const std::string& id : runs.ids)
    if (std::ranges::all_of(campaigns.ids,
                            [&](const std::string& its) { return never_one_device(id, its); }))
      return "`" + id + "` is not among the campaign's: " + theirs;
  return "";
}

void check_gpus(const Campaign& campaign, const Experiment& experiment, const Runner& runner,
                Notices& notices) {
  const Value* own = experiment.config.find("gpus");
  if (own && own->is_null()) own = nullptr;
  const auto wish = own ? gpu_wish(*own) : runner.gpus;
  if (own && (!wish || wish->kind == GpuWish::Kind::automatic))
    return notices.problem(
        own->origin(), "gpus",
        "expected a count, a list of ids, {ids: [...]}, all or none, not " + shown(*own));
  const std::string why = wish ? contradiction(campaign.gpus, *wish) : "";
  if (why.empty()) return;
  const std::string key = own ? "gpus" : runner_key(campaign, experiment.backend) + ".gpus";
  notices.problem(own ? own->origin() : place(campaign, key), key, why);
}

void identify(const Campaign& campaign, Draft& draft, Notices& notices) {
  Experiment& experiment = draft.experiment;
  const std::optional<Runner> runner = runner_of(campaign, experiment);
  if (!runner) {
    const std::string what = experiment.backend.empty()
                                 ? "no runner; give `runner`"
                                 : "no runner for backend `" + experiment.backend +
                                       "`; give `runners." + experiment.backend + "` or `runner`";
    return notices.problem(draft.origin, "runners", what);
  }
  check_gpus(campaign, experiment, *runner, notices);
  const std::string key = runner_key(campaign, experiment.backend);
  if (runner->type == RunnerType::compose) {
    check_service(campaign, runner->service, key, notices);
    if (runner->server && !runner->server->service.empty())
      check_service(campaign, runner->server->service, key, notices);
  }
  Expansion report;
  try {
    experiment.hash = identity_hash(
        experiment.config, effective_runner(campaign, experiment.config, *runner, &report));
  } catch (const std::runtime_error& error) {
    notices.problem(place(campaign, key), key, error.what());
  }
  for (const std::string& text : report.warnings)
    notices.warning(place(campaign, key).text() + ": " + key + ": " + text);
}

void refuse_twins(const std::vector<Draft>& drafts, Notices& notices) {
  std::unordered_map<std::string, const Draft*> seen;
  for (const Draft& draft : drafts) {
    if (draft.experiment.hash.empty()) continue;
    const auto [at, fresh] = seen.emplace(draft.experiment.hash, &draft);
    if (fresh) continue;
    const auto label = [](const Draft& each) {
      return "`" + (each.wish.empty() ? each.experiment.name : each.wish) + "` (" +
             each.origin.text() + ")";
    };
    notices.problem(draft.origin, "experiments",
                    label(*at->second) + " and " + label(draft) +
                        " have the same values and the same runner; drop one of them");
  }
}

void refuse_too_many(const Campaign& campaign, std::size_t count, Notices& notices) {
  const auto cycles = static_cast<std::size_t>(campaign.execution.cycles);
  if (count <= most_experiments && count * cycles <= most_runs) return;
  notices.problem(place(campaign, "execution.cycles"), "execution.cycles",
                  std::to_string(count) + " experiments in " + std::to_string(cycles) +
                      " cycles are too many; " + std::to_string(most_experiments) +
                      " experiments and " + std::to_string(most_runs) + " runs are the most");
}

void warn_of_order(const Campaign& campaign, std::uint32_t count, Notices& notices) {
  const Execution& execution = campaign.execution;
  const Origin at = place(campaign, "execution.structure");
  if (execution.structure == Structure::interleaved && count > 1 &&
      execution.cycle_gap_seconds > execution.config_gap_seconds)
    notices.warning(at.text() +
                    ": execution.structure: `interleaved` with a cycle gap longer than the "
                    "config gap: whoever is first in a cycle always starts cooler; use `shuffled`");
  if (execution.structure != Structure::balanced) return;
  const auto rows = static_cast<int>(balanced_rows(count));
  if (execution.cycles % rows != 0)
    notices.warning(at.text() + ": execution.structure: `balanced` with " + std::to_string(count) +
                    " experiments is balanced after a multiple of " + std::to_string(rows) +
                    " cycles, not after " + std::to_string(execution.cycles));
}

}  // namespace

std::string run_id(const Experiment& experiment, int cycle) {
  const std::string number = std::to_string(cycle);
  return experiment.name + ".c" + (number.size() < 2 ? "0" : "") + number;
}

std::string run_id(const Plan& plan, const PlannedRun& run) {
  return run_id(plan.experiments.at(run.experiment), run.cycle);
}

std::string pilot_id(const Experiment& experiment) { return experiment.name + ".p"; }

std::uint64_t plan_seed(const Campaign& campaign) {
  return campaign.execution.seed ? *campaign.execution.seed : sha256_leading64(campaign.name);
}

Plan make_plan(const Campaign& campaign) {
  Notices notices;
  std::vector<Draft> drafts = expand_experiments(campaign, notices);
  notices.raise();
  refuse_too_many(campaign, drafts.size(), notices);
  notices.raise();
  for (Draft& draft : drafts) identify(campaign, draft, notices);
  notices.raise();
  name_experiments(campaign, drafts, notices);
  refuse_twins(drafts, notices);
  notices.raise();
  const auto count = static_cast<std::uint32_t>(drafts.size());
  warn_of_order(campaign, count, notices);
  Plan plan;
  for (Draft& draft : drafts) plan.experiments.push_back(std::move(draft.experiment));
  plan.seed = plan_seed(campaign);
  plan.runs = order_runs({.structure = campaign.execution.structure,
                          .count = count,
                          .cycles = campaign.execution.cycles,
                          .seed = plan.seed});
  plan.warnings = notices.warnings();
  return plan;
}

}  // namespace campaign
