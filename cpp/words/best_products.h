#pragma once
// The best rows by a product of two numbers, whichever inverted file has added up the first.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/topk.h"
#include "kernels/words.h"

namespace kf::words {

// Rows [0, n) with sums[row] * factor[row], negated: of those that are admitted, or of all where
// that is null.
inline void keep_best_products(const float* sums, const float* factor, std::size_t n,
                               const std::int64_t* ids, const std::uint8_t* admitted, TopK& best) {
  constexpr std::size_t looked_at = 1024;
  const WordKernels& table = kernels<WordKernels>();
  std::uint32_t rows[looked_at];
  for (std::size_t at = 0; at < n; at += looked_at) {
    const std::size_t found = table.products_at_least(
        sums + at, factor + at, std::min(looked_at, n - at), -best.worst(), rows);
    for (std::size_t j = 0; j < found; ++j) {
      const std::size_t row = at + rows[j];
      if (admitted && !admitted[row]) continue;
      best.push({-(sums[row] * factor[row]), ids[row]});
    }
  }
}

}  // namespace kf::words
