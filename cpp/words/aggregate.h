#pragma once
// Local descriptors aggregated: residuals to visual words, added up photo by photo (ASMK).

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "words/by_word.h"

namespace kf::words {

// Local descriptors, photo by photo, with the m words of each.
struct Assigned {
  std::size_t photos = 0, d = 0, m = 1, words = 0;
  const std::int64_t* starts = nullptr;  // (photos + 1,)
  const float* x = nullptr;              // (n, d)
  const std::int64_t* word = nullptr;    // (n, m)
  const float* codebook = nullptr;       // (words, d)
  const float* limits = nullptr;         // (words, d) or null: what signs are taken against
};

// Sums of the residuals of each photo's descriptors to each of its words, added in the order of the
// descriptors; as signs or scaled to length one. Sums of zero have signs, but no direction: as
// vectors they are left out.
struct Aggregates {
  std::vector<std::int64_t> starts;  // (photos + 1,)
  Buffer<std::uint32_t> word;
  Buffer<std::uint8_t> parts;
};
Aggregates aggregate(const Assigned& given, PartShape shape, std::size_t threads);

}  // namespace kf::words
