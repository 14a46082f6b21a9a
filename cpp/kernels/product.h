#pragma once
// Product codes: filters, sums, what codes stand for.

#include "kernels/family.h"

namespace kf {

// Product codes that lie row by row: m subquantizers of 8 or 4 bits, then perhaps bytes that belong
// to something else.
struct ProductRows {
  const std::uint8_t* codes;  // (n, width)
  std::size_t n, width, m, bits;
};

// Codebooks rounded to bytes, for the 8-bit filter: pieces of `piece` dimensions, a multiple of 4.
struct ByteCodebooks {
  const std::uint8_t* codebooks;  // (m, k, piece)
  const std::int32_t* norms;  // (m, k): squared norms in code units, or null where the bias is 0
  std::size_t m, bits, piece, width, padded_d;
};

#ifdef KF_LISTS
struct ProductKernels {
#include "kernels/product.def"
};
#endif

}  // namespace kf
