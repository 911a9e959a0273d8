#include "campaign/plan/axes.hpp"

#include <algorithm>
#include <map>
#include <unordered_set>

namespace campaign {
namespace {

using Axes = std::vector<std::pair<std::string_view, const Value*>>;  // key -> list

struct Dimension {
  Axes axes;  // lists of one length
  std::size_t length = 0;
};

const Value* axis(const Axes& axes, std::string_view key) {
  const auto at =
      std::find_if(axes.begin(), axes.end(), [&](const auto& a) { return a.first == key; });
  return at == axes.end() ? nullptr : at->second;
}

class Crossing {
 public:
  Crossing(const Campaign& campaign, Notices& notices) : campaign_(campaign), notices_(notices) {}

  std::vector<Point> points() {
    check_axes(campaign_.axes, "axes");
    for (const auto& [backend, extra] : campaign_.per_backend) {
      check_axes(extra.axes, "per_backend." + backend + ".axes");
      forbid_backend(extra, backend);
    }
    check_zip();
    if (failed_) return {};
    const Dimension outer = backend_dimension();
    if (failed_) return {};
    for (std::size_t i = 0; i < std::max<std::size_t>(outer.length, 1); ++i) cross_below(outer, i);
    if (failed_) return {};
    drop_excluded();
    return std::move(points_);
  }

 private:
  void fail(const Origin& origin, const std::string& key, const std::string& message) {
    failed_ = true;
    notices_.problem(origin, key, message);
  }

  void check_axes(const Value& axes, const std::string& where) {
    if (!axes.is_map()) return;
    for (const auto& [key, values] : axes.members()) {
      const std::string name = where + "." + key;
      if (!values.is_list() || values.items().empty()) {
        fail(values.origin(), name, "expected a list of at least one value");
        continue;
      }
      std::unordered_set<std::string> seen;
      for (const Value& value : values.items())
        if (!seen.insert(canonical_json(value)).second)
          fail(value.origin(), name, "the value " + canonical_json(value) + " stands here twice");
    }
  }

  void forbid_backend(const PerBackend& extra, const std::string& backend) {
    for (const Value* part : {&extra.axes, &extra.set})
      if (part->is_map() && part->find("backend") != nullptr)
        fail(part->find("backend")->origin(), "per_backend." + backend,
             "`backend` cannot be set for one backend; use `axes.backend`");
  }

  Origin zip_place(std::size_t group) const {
    const Value* zip = campaign_.document.is_map() ? campaign_.document.find("zip") : nullptr;
    if (zip != nullptr && zip->is_list() && group < zip->items().size())
      return zip->items()[group].origin();
    return place(campaign_, "zip");
  }

  bool is_axis(std::string_view key) const {
    if (campaign_.axes.is_map() && campaign_.axes.find(key) != nullptr) return true;
    return std::any_of(
        campaign_.per_backend.begin(), campaign_.per_backend.end(), [&](auto& extra) {
          return extra.second.axes.is_map() && extra.second.axes.find(key) != nullptr;
        });
  }

  void check_zip() {
    std::unordered_set<std::string> seen;
    for (std::size_t group = 0; group < campaign_.zip.size(); ++group)
      for (const std::string& key : campaign_.zip[group]) {
        if (!is_axis(key))
          fail(zip_place(group), "zip", "`" + key + "` is no axis; name keys of `axes`");
        if (!seen.insert(key).second)
          fail(zip_place(group), "zip", "`" + key + "` is zipped twice");
      }
  }

  Axes axes_of(const std::string& backend) const {
    Axes axes;
    const auto extra = campaign_.per_backend.find(backend);
    const Value* added = extra == campaign_.per_backend.end() ? nullptr : &extra->second.axes;
    if (added != nullptr && !added->is_map()) added = nullptr;
    if (campaign_.axes.is_map())
      for (const auto& [key, values] : campaign_.axes.members()) {
        const Value* over = added == nullptr ? nullptr : added->find(key);
        axes.emplace_back(key, over == nullptr ? &values : over);
      }
    if (added != nullptr)
      for (const auto& [key, values] : added->members())
        if (axis(axes, key) == nullptr) axes.emplace_back(key, &values);
    return axes;
  }

  const std::vector<std::string>* group_of(std::string_view key) const {
    for (const auto& group : campaign_.zip)
      if (std::find(group.begin(), group.end(), key) != group.end()) return &group;
    return nullptr;
  }

  Dimension dimension(const Axes& axes, std::string_view key) {
    const auto* group = group_of(key);
    const Value* own = axis(axes, key);
    Dimension result{.axes = {{key, own}}, .length = own->items().size()};
    if (group == nullptr) return result;
    result.axes.clear();
    const Origin where = zip_place(static_cast<std::size_t>(group - campaign_.zip.data()));
    for (const std::string& member : *group) {
      const Value* values = axis(axes, member);
      if (values == nullptr) {
        fail(where, "zip", "`" + member + "` has no values where `" + std::string(key) + "` has");
      } else if (values->items().size() != result.length) {
        fail(where, "zip",
             "`" + std::string(key) + "` has " + std::to_string(result.length) + " values and `" +
                 member + "` has " + std::to_string(values->items().size()) +
                 "; zipped axes need equally many");
      } else {
        result.axes.emplace_back(member, values);
      }
    }
    return result;
  }

  Dimension backend_dimension() {
    const Value* backends = campaign_.axes.is_map() ? campaign_.axes.find("backend") : nullptr;
    if (backends == nullptr) return {};
    for (const Value& backend : backends->items())
      if (backend.kind() != Value::Kind::string)
        fail(backend.origin(), "axes.backend", "expected names of backends");
    const Dimension outer = dimension(axes_of(""), "backend");
    for (const auto& [name, extra] : campaign_.per_backend)
      for (const auto& [key, values] : outer.axes)
        if (extra.axes.is_map() && extra.axes.find(key) != nullptr)
          fail(extra.axes.find(key)->origin(), "per_backend." + name + ".axes." + std::string(key),
               "this axis is zipped with `backend` and cannot differ for one backend");
    return outer;
  }

  void cross_below(const Dimension& outer, std::size_t index) {
    Point start;
    const Value* fixed = campaign_.set.is_map() ? campaign_.set.find("backend") : nullptr;
    if (fixed != nullptr && fixed->kind() == Value::Kind::string)
      start.backend = fixed->as_string();
    for (const auto& [key, values] : outer.axes) {
      start.coordinates.push_back({key, &values->items()[index]});
      if (key == "backend") start.backend = values->items()[index].as_string();
    }
    const Axes axes = axes_of(start.backend);
    if (axes.empty()) return;
    std::vector<Dimension> dimensions;
    std::unordered_set<std::string_view> used;
    for (const auto& [key, values] : outer.axes) used.insert(key);
    for (const auto& [key, values] : axes) {
      if (used.contains(key)) continue;
      dimensions.push_back(dimension(axes, key));
      if (failed_) return;
      for (const auto& [member, list] : dimensions.back().axes) used.insert(member);
    }
    if (fits(dimensions)) cross(start, dimensions);
  }

  bool fits(const std::vector<Dimension>& dimensions) {
    std::size_t total = 1;
    for (const Dimension& each : dimensions) {
      total *= each.length;
      if (total > most_runs) break;
    }
    if (points_.size() + total <= most_runs) return true;
    fail(place(campaign_, "axes"), "axes",
         "these axes cross to more than " + std::to_string(most_runs) + " points");
    return false;
  }

  void cross(const Point& start, const std::vector<Dimension>& dimensions) {
    std::vector<std::size_t> at(dimensions.size(), 0);
    while (true) {
      Point point = start;
      for (std::size_t d = 0; d < dimensions.size(); ++d)
        for (const auto& [key, values] : dimensions[d].axes)
          point.coordinates.push_back({key, &values->items()[at[d]]});
      points_.push_back(std::move(point));
      std::size_t turning = dimensions.size();
      while (turning > 0 && ++at[turning - 1] == dimensions[turning - 1].length) at[--turning] = 0;
      if (turning == 0) return;
    }
  }

  const Value* value_at(const Point& point, std::string_view key) const {
    for (const Coordinate& coordinate : point.coordinates)
      if (coordinate.key == key) return coordinate.value;
    const auto extra = campaign_.per_backend.find(point.backend);
    if (extra != campaign_.per_backend.end() && extra->second.set.is_map())
      if (const Value* value = extra->second.set.at_path(key)) return value;
    return campaign_.set.is_map() ? campaign_.set.at_path(key) : nullptr;
  }

  bool is_known(std::string_view key) const {
    if (is_axis(key) || (campaign_.set.is_map() && campaign_.set.at_path(key) != nullptr))
      return true;
    return std::any_of(
        campaign_.per_backend.begin(), campaign_.per_backend.end(), [&](auto& extra) {
          return extra.second.set.is_map() && extra.second.set.at_path(key) != nullptr;
        });
  }

  void drop_excluded() {
    for (const Value& rule : campaign_.exclude) {
      if (!rule.is_map() || rule.members().empty()) {
        fail(rule.origin(), "exclude", "expected a map of keys and values");
        continue;
      }
      for (const auto& [key, value] : rule.members())
        if (!is_known(key))
          fail(value.origin(), "exclude", "`" + key + "` is no axis of this campaign");
      const auto dropped = std::erase_if(points_, [&](const Point& point) {
        return std::all_of(rule.members().begin(), rule.members().end(), [&](const auto& wanted) {
          const Value* value = value_at(point, wanted.first);
          return value != nullptr && *value == wanted.second;
        });
      });
      if (dropped == 0)
        notices_.warning(rule.origin().text() + ": exclude: " + canonical_json(rule) +
                         " drops nothing");
    }
  }

  const Campaign& campaign_;
  Notices& notices_;
  bool failed_ = false;
  std::vector<Point> points_;
};

}  // namespace

std::vector<Point> axis_points(const Campaign& campaign, Notices& notices) {
  auto points = Crossing(campaign, notices).points();
  if (points.size() > most_experiments) {
    notices.problem(place(campaign, "axes"), "axes",
                    "these axes give " + std::to_string(points.size()) + " experiments; " +
                        std::to_string(most_experiments) + " are the most");
    points.clear();
  }
  return points;
}

}  // namespace campaign
