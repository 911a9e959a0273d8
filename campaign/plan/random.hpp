// PCG32 XSH-RR (O'Neill 2014, pcg-random.org) and the Fisher-Yates shuffle from the end with
// unbiased rejection: the same sequence on every platform. Test vectors: docs/planning.md.
#pragma once

#include <cstdint>
#include <vector>

namespace campaign {

// Seeded as pcg32_srandom(initstate = seed, initseq = stream).
class Pcg32 {
 public:
  Pcg32(std::uint64_t seed, std::uint64_t stream);
  std::uint32_t next();
  std::uint32_t below(std::uint32_t bound);  // uniform in [0, bound), bound > 0

 private:
  std::uint64_t state_;
  std::uint64_t increment_;
};

void shuffle(std::vector<std::uint32_t>& items, Pcg32& random);

}  // namespace campaign
