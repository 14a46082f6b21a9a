// Integer filter of exact search: finds the pairs (query, point) with
//     sum_j queries[j] * codes[j] + bias >= threshold(query),
// or, for a set joined with itself, those that matter to either side; all in exact 32-bit integer
// arithmetic, so every level finds the same pairs. Sums wrap around: a bias may come from a file.
//
// queries      int8 (nq, d), nq a multiple of 16, rows beyond the last query zero
// scratch      int16 (nq, d): room for levels that cannot multiply these bytes as they are
// codes        uint8, blocks of 16 points: (blocks, d / 4, 16, 4): four dimensions of one point side
//              by side, the operand order of VPDPBUSD and of an AMX tile
// bias         int32 (16 * blocks); blocks even
// d            a multiple of 4; above 64 a multiple of 4 * ceil(d / 64), so that it splits into
//              equal tiles
//
// Bound: d multiply-adds a pair; one byte a dimension and point from memory, shared by all queries.

#include "kernels/filters.h"
#include "kernels/pair_bounds.h"
#include "kernels/pairs.h"
#include "simd/vec.h"

#if KF_HAS_AVX512ICL
#include "kernels/filter_u8.avx512icl.h"
#elif KF_HAS_AVX2
#include "kernels/filter_u8.avx2.h"
#endif
#if KF_HAS_AVXVNNI
#include "kernels/filter_u8.avxvnni.h"
#elif KF_HAS_NEON
#include "kernels/filter_u8.neon.h"
#endif
#if KF_HAS_AVX512SPR
#include "kernels/filter_u8.avx512spr.h"
#endif

namespace kf::KF_LEVEL {
namespace {

inline bool reached(const PairBounds<std::int32_t>& bounds, std::int32_t sum, std::size_t query,
                    std::size_t point) {
  const std::int32_t a = bounds.query_thresholds[query], b = bounds.point_thresholds[point];
  return sum + bounds.query_offsets[query] >= (a < b ? a : b);
}

}  // namespace

#if !KF_HAS_AVX2 && !KF_HAS_NEON
namespace {

struct Hits {
  const std::int32_t* thresholds;
  std::uint32_t* out;
  std::size_t found = 0;

  void take(std::uint32_t query, std::uint32_t point, const std::int32_t* sums) {
    for (std::uint32_t p = 0; p < 16; ++p)
      if (sums[p] >= thresholds[query]) out[found++] = query << 16 | (point + p);
  }
};

struct PairHits {
  PairBounds<std::int32_t> bounds;
  std::uint32_t* out;
  std::size_t found = 0;

  void take(std::uint32_t query, std::uint32_t point, const std::int32_t* sums) {
    for (std::uint32_t p = 0; p < 16; ++p)
      if (reached(bounds, sums[p], query, point + p)) out[found++] = query << 16 | (point + p);
  }
};

struct Sums {
  std::int32_t* sums;
  std::size_t stride;

  void take(std::uint32_t query, std::uint32_t point, const std::int32_t* found) {
    for (std::uint32_t p = 0; p < 16; ++p) sums[query * stride + point + p] = found[p];
  }
};

struct Best {
  std::int32_t* best;

  void take(std::uint32_t query, std::uint32_t, const std::int32_t* sums) {
    for (int p = 0; p < 16; ++p)
      if (sums[p] > best[query]) best[query] = sums[p];
  }
};

template <class Sink>
void scan_portable(const std::int16_t* queries, std::size_t nq, const std::uint8_t* codes,
                   const std::int32_t* bias, std::size_t blocks, std::size_t d, Sink& sink) {
  for (std::size_t block = 0; block < blocks; ++block) {
    for (std::size_t q = 0; q < nq; ++q) {
      const std::uint8_t* x = codes + block * 16 * d;
      const std::int16_t* y = queries + q * d;
      std::uint32_t total[16];
      for (int p = 0; p < 16; ++p) total[p] = static_cast<std::uint32_t>(bias[16 * block + p]);
      for (std::size_t j = 0; j < d; j += 4, x += 64)
        for (int p = 0; p < 16; ++p)
          total[p] += static_cast<std::uint32_t>(x[4 * p] * y[j] + x[4 * p + 1] * y[j + 1] +
                                                 x[4 * p + 2] * y[j + 2] + x[4 * p + 3] * y[j + 3]);
      std::int32_t sums[16];
      __builtin_memcpy(sums, total, sizeof sums);
      sink.take(static_cast<std::uint32_t>(q), static_cast<std::uint32_t>(16 * block), sums);
    }
  }
}

inline std::int32_t product(const std::int8_t* query, const std::int8_t* row, std::size_t d) {
  std::int32_t total = 0;
  for (std::size_t j = 0; j < d; ++j) total += query[j] * (row[j] + 128);
  return total;
}

}  // namespace
#endif

namespace {

// `used` leaves out the rows that only fill up the last tile.
template <class Sink>
void scan(const std::int8_t* queries, std::int16_t* scratch, std::size_t used,
          const std::uint8_t* codes, const std::int32_t* bias, std::size_t blocks, std::size_t d,
          Sink& sink) {
#if KF_HAS_AVX512ICL || KF_HAS_AVXVNNI
  (void)scratch;
  scan_bytes(queries, used, codes, bias, blocks, d, sink);
#elif KF_HAS_NEON
  scan_bytes(queries, scratch, used, codes, bias, blocks, d, sink);
#else
  for (std::size_t i = 0; i < used * d; ++i) scratch[i] = queries[i];
#if KF_HAS_AVX2
  scan_wide(scratch, used, codes, bias, blocks, d, sink);
#else
  scan_portable(scratch, used, codes, bias, blocks, d, sink);
#endif
#endif
}

}  // namespace

std::size_t products_of_bytes() {
#if KF_HAS_AVX512SPR
  return 512;
#elif KF_HAS_AVX512ICL
  return 128;
#elif KF_HAS_AVXVNNI || KF_HAS_NEON
  return 64;
#else
  return 32;
#endif
}

std::size_t filter_u8(const std::int8_t* queries, std::int16_t* scratch, std::size_t nq,
                      const std::uint8_t* codes, const std::int32_t* bias, std::size_t blocks,
                      std::size_t d, const std::int32_t* thresholds, std::uint32_t* hits) {
  std::size_t used = nq;
  while (used > 1 && thresholds[used - 1] == INT32_MAX) --used;
#if KF_HAS_AVX512SPR
  if (used > 4) {  // below, the tiles' fixed cost exceeds the vector unit's work
    Hits sink{thresholds, hits};
    scan_tiles(queries, nq, used, codes, bias, blocks, d, sink);
    return sink.found;
  }
#endif
  Hits sink{thresholds, hits};
  scan(queries, scratch, used, codes, bias, blocks, d, sink);
  return sink.found;
}

std::size_t filter_pairs_u8(const std::int8_t* queries, std::int16_t* scratch, std::size_t nq,
                            const std::uint8_t* codes, const std::int32_t* bias, std::size_t blocks,
                            std::size_t d, const std::int32_t* query_thresholds,
                            const std::int32_t* query_offsets, const std::int32_t* point_thresholds,
                            std::uint32_t* hits) {
  const PairBounds<std::int32_t> bounds{query_thresholds, query_offsets, point_thresholds};
#if KF_HAS_AVX512SPR
  if (nq % 16 == 0) {
    PairHits sink{bounds, hits};
    scan_tiles(queries, nq, nq, codes, bias, blocks, d, sink);
    return sink.found;
  }
#endif
  PairHits sink{bounds, hits};
  scan(queries, scratch, nq, codes, bias, blocks, d, sink);
  return sink.found;
}

std::size_t keep_pairs_u8(const std::int8_t* queries, const std::int8_t* points, std::size_t d,
                          const std::int32_t* query_thresholds, const std::int32_t* query_offsets,
                          const std::int32_t* point_thresholds, const std::int32_t* bias,
                          std::uint32_t* hits, std::size_t found) {
  const PairBounds<std::int32_t> bounds{query_thresholds, query_offsets, point_thresholds};
  std::size_t kept = 0;
  for (std::size_t h = 0; h < found; ++h) {
    const std::uint32_t hit = hits[h], query = hit >> 16, point = hit & 0xffff;
    const std::int32_t sum = product(queries + query * d, points + point * d, d) + bias[point];
    hits[kept] = hit;
    kept += reached(bounds, sum, query, point);
  }
  return kept;
}

void best_u8(const std::int8_t* queries, std::int16_t* scratch, std::size_t nq,
             const std::uint8_t* codes, const std::int32_t* bias, std::size_t blocks, std::size_t d,
             std::int32_t* best) {
  for (std::size_t q = 0; q < nq; ++q) best[q] = INT32_MIN;
#if KF_HAS_AVX512SPR
  if (nq > 16) {
    Best sink{best};
    scan_tiles(queries, nq, nq, codes, bias, blocks, d, sink);
    return;
  }
#endif
  Best sink{best};
  scan(queries, scratch, nq, codes, bias, blocks, d, sink);
}

void sums_u8(const std::int8_t* queries, std::int16_t* scratch, std::size_t nq,
             const std::uint8_t* codes, const std::int32_t* bias, std::size_t blocks, std::size_t d,
             std::int32_t* sums, std::size_t stride) {
#if KF_HAS_AVX512SPR
  if (nq % 16 == 0) {
    Sums sink{sums, stride};
    scan_tiles(queries, nq, nq, codes, bias, blocks, d, sink);
    return;
  }
#endif
  Sums sink{sums, stride};
  scan(queries, scratch, nq, codes, bias, blocks, d, sink);
}

}  // namespace kf::KF_LEVEL
