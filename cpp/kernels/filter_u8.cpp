// Integer filter of exact search: finds the pairs (query, point) with
//     sum_j queries[j] * codes[j] + bias >= threshold(query),
// all in exact 32-bit integer arithmetic, so every level finds the same pairs.
//
// queries      int8 (nq, d), nq a multiple of 16, rows beyond the last query zero
// scratch      int16 (nq, d): room for levels without 8-bit products
// codes        uint8, blocks of 16 points: (blocks, d / 4, 16, 4): four dimensions of one point side by side,
//              the operand order of VPDPBUSD and of an AMX tile
// bias         int32 (16 * blocks); blocks even
// d            a multiple of 4; above 64 a multiple of 4 * ceil(d / 64), so that it splits into equal tiles
// Bound: d multiply-adds a pair; one byte a dimension and point from memory, shared by all queries.

#include "kernels/table.h"
#include "simd/vec.h"

#if KF_LEVEL_RANK >= 3
#include "kernels/filter_u8.avx512icl.h"
#elif KF_LEVEL_RANK >= 1
#include "kernels/filter_u8.avx2.h"
#endif
#if KF_LEVEL_RANK >= 4
#include "kernels/filter_u8.avx512spr.h"
#endif

namespace kf::KF_LEVEL {

#if KF_LEVEL_RANK == 0
namespace {

std::size_t scan_portable(const std::int16_t* queries, std::size_t nq, const std::uint8_t* codes,
                          const std::int32_t* bias, std::size_t blocks, std::size_t d, const std::int32_t* thresholds,
                          std::uint32_t* hits) {
  std::size_t found = 0;
  for (std::size_t block = 0; block < blocks; ++block) {
    for (std::size_t q = 0; q < nq; ++q) {
      const std::uint8_t* x = codes + block * 16 * d;
      const std::int16_t* y = queries + q * d;
      std::int32_t sums[16];
      for (int p = 0; p < 16; ++p) sums[p] = bias[16 * block + p];
      for (std::size_t j = 0; j < d; j += 4, x += 64)
        for (int p = 0; p < 16; ++p)
          sums[p] += x[4 * p] * y[j] + x[4 * p + 1] * y[j + 1] + x[4 * p + 2] * y[j + 2] + x[4 * p + 3] * y[j + 3];
      for (std::uint32_t p = 0; p < 16; ++p)
        if (sums[p] >= thresholds[q])
          hits[found++] = static_cast<std::uint32_t>(q << 16) | static_cast<std::uint32_t>(16 * block + p);
    }
  }
  return found;
}

}  // namespace
#endif

std::size_t filter_u8(const std::int8_t* queries, std::int16_t* scratch, std::size_t nq,
                      const std::uint8_t* codes, const std::int32_t* bias, std::size_t blocks, std::size_t d,
                      const std::int32_t* thresholds, std::uint32_t* hits) {
#if KF_LEVEL_RANK >= 4
  // Below a few queries the tiles' fixed cost exceeds the vector unit's work.
  if (nq > 16 || thresholds[4] != INT32_MAX)
    return scan_tiles(queries, nq, codes, bias, blocks, d, thresholds, hits);
#endif
#if KF_LEVEL_RANK >= 3
  (void)scratch;
  return scan_vnni(queries, nq, codes, bias, blocks, d, thresholds, hits);
#else
  for (std::size_t i = 0; i < nq * d; ++i) scratch[i] = queries[i];
#if KF_LEVEL_RANK >= 1
  return scan_wide(scratch, nq, codes, bias, blocks, d, thresholds, hits);
#else
  return scan_portable(scratch, nq, codes, bias, blocks, d, thresholds, hits);
#endif
#endif
}

}  // namespace kf::KF_LEVEL
