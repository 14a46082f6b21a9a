#pragma once
// Postings in the order of their words.

#include <bit>
#include <cstddef>
#include <cstdint>

#include "core/radix.h"

namespace kf::words {

// Keys word << 32 | position in ascending order, positions ascending as they come. Returns where the
// result lies, keys or spare.
inline std::uint64_t* sort_by_word(std::uint64_t* keys, std::uint64_t* spare, std::size_t n,
                                   std::size_t words) {
  return radix_sort<11>(keys, spare, n, 32, 32 + static_cast<unsigned>(std::bit_width(words - 1)));
}

}  // namespace kf::words
