// Hamming distances of one code to codes that lie one after the other: the lists of visual words.
// Eight bytes a word; lists are short, and what follows a distance costs more than the distance.

#include "kernels/bits.h"
#include "kernels/hamming.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {

void hamming_rows(const std::uint64_t* query, const std::uint64_t* codes, std::size_t n,
                  std::size_t words, std::int32_t* distances) {
  if (words == 2) {
    for (std::size_t i = 0; i < n; ++i)
      distances[i] = count_bits(query[0] ^ codes[2 * i]) + count_bits(query[1] ^ codes[2 * i + 1]);
    return;
  }
  for (std::size_t i = 0; i < n; ++i) {
    std::int32_t sum = 0;
    for (std::size_t w = 0; w < words; ++w) sum += count_bits(query[w] ^ codes[i * words + w]);
    distances[i] = sum;
  }
}

}  // namespace kf::KF_LEVEL
