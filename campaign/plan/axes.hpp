// The points that a campaign's axes give. Axes are crossed in the order written, the last one
// fastest; the axis `backend` (with what is zipped to it) is always the outermost, because
// per_backend adds axes to it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "campaign/plan/notices.hpp"

namespace campaign {

// Both point into the campaign.
struct Coordinate {
  std::string_view key;
  const Value* value;
};

struct Point {
  std::string backend;  // "" = none
  std::vector<Coordinate> coordinates;
};

inline constexpr std::size_t most_experiments = 100'000;
inline constexpr std::size_t most_runs = 10'000'000;

// Problems: an axis that is no list, is empty or repeats a value, a zip of unknown keys or unequal
// lengths, an exclude of an unknown key, more than most_experiments points. Warnings: an exclude
// that drops nothing.
std::vector<Point> axis_points(const Campaign& campaign, Notices& notices);

}  // namespace campaign
