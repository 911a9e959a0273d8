#include "campaign/plan/random.hpp"

#include <utility>

namespace campaign {

Pcg32::Pcg32(std::uint64_t seed, std::uint64_t stream)
    : state_(0), increment_((stream << 1U) | 1U) {
  next();
  state_ += seed;
  next();
}

std::uint32_t Pcg32::next() {
  const std::uint64_t old = state_;
  state_ = old * 6364136223846793005ULL + increment_;
  const auto shifted = static_cast<std::uint32_t>(((old >> 18U) ^ old) >> 27U);
  const auto rotation = static_cast<std::uint32_t>(old >> 59U);
  return (shifted >> rotation) | (shifted << ((32U - rotation) & 31U));
}

std::uint32_t Pcg32::below(std::uint32_t bound) {
  const std::uint32_t threshold = (0U - bound) % bound;
  std::uint32_t drawn = next();
  while (drawn < threshold) drawn = next();
  return drawn % bound;
}

void shuffle(std::vector<std::uint32_t>& items, Pcg32& random) {
  for (auto left = static_cast<std::uint32_t>(items.size()); left > 1; --left)
    std::swap(items[left - 1], items[random.below(left)]);
}

}  // namespace campaign
