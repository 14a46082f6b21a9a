// The 16-bit form for AVX2 and plain AVX-512: 8-bit products in pairs (VPMADDUBSW) would saturate,
// so codes are widened and multiplied by VPMADDWD. Three queries share each widened block.

#include "kernels/lane_sum.avx2.h"

namespace kf::KF_LEVEL {
namespace {

struct Hits {
  const std::int32_t* thresholds;
  std::uint32_t* out;
  std::size_t found = 0;

  void take(std::uint32_t query, std::uint32_t point, __m256i sums) {
    const __m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi32(thresholds[query]), sums);
    unsigned mask = ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(below))) & 0xffu;
    for (; mask; mask &= mask - 1)
      out[found++] = query << 16 | (point + static_cast<std::uint32_t>(__builtin_ctz(mask)));
  }
};

struct PairHits {
  PairBounds<std::int32_t> bounds;
  std::uint32_t* out;
  std::size_t found = 0;

  void take(std::uint32_t query, std::uint32_t point, __m256i sums) {
    const __m256i offset = _mm256_set1_epi32(bounds.query_offsets[query]);
    const __m256i points =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bounds.point_thresholds + point));
    const __m256i least =
        _mm256_min_epi32(points, _mm256_set1_epi32(bounds.query_thresholds[query]));
    const __m256i below = _mm256_cmpgt_epi32(least, _mm256_add_epi32(sums, offset));
    unsigned mask = ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(below))) & 0xffu;
    for (; mask; mask &= mask - 1)
      out[found++] = query << 16 | (point + static_cast<std::uint32_t>(__builtin_ctz(mask)));
  }
};

struct Sums {
  std::int32_t* sums;
  std::size_t stride;

  void take(std::uint32_t query, std::uint32_t point, __m256i found) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + query * stride + point), found);
  }
};

struct Best {
  std::int32_t* best;

  void take(std::uint32_t query, std::uint32_t, __m256i sums) {
    const __m128i four =
        _mm_max_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    const __m128i two = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    const std::int32_t largest =
        _mm_cvtsi128_si32(_mm_max_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
    if (largest > best[query]) best[query] = largest;
  }
};

template <int Queries, class Sink>
inline void scan_block(const std::int16_t* queries, std::uint32_t first, const std::uint8_t* codes,
                       const std::int32_t* bias, std::uint32_t point, std::size_t d, Sink& sink) {
  __m256i sums[Queries][4];
  for (int q = 0; q < Queries; ++q)
    for (int part = 0; part < 4; ++part) sums[q][part] = _mm256_setzero_si256();
  for (std::size_t j = 0; j < d; j += 4, codes += 64) {
    __m256i y[Queries];
    for (int q = 0; q < Queries; ++q) {
      long long four;
      __builtin_memcpy(&four, queries + static_cast<std::size_t>(q) * d + j, sizeof four);
      y[q] = _mm256_set1_epi64x(four);
    }
    for (int part = 0; part < 4; ++part) {
      const __m256i x = _mm256_cvtepu8_epi16(
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + 16 * part)));
      for (int q = 0; q < Queries; ++q)
        sums[q][part] = _mm256_add_epi32(sums[q][part], _mm256_madd_epi16(x, y[q]));
    }
  }
  for (int q = 0; q < Queries; ++q)
    for (std::uint32_t half = 0; half < 2; ++half) {
      // Pairs of partial sums; HADD works within 128-bit lanes, the permutation restores the
      // points' order.
      const __m256i pairs = _mm256_permute4x64_epi64(
          _mm256_hadd_epi32(sums[q][2 * half], sums[q][2 * half + 1]), 0xd8);
      const __m256i start = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bias + 8 * half));
      sink.take(first + static_cast<std::uint32_t>(q), point + 8 * half,
                _mm256_add_epi32(pairs, start));
    }
}

template <class Sink>
inline void scan_wide(const std::int16_t* queries, std::size_t nq, const std::uint8_t* codes,
                      const std::int32_t* bias, std::size_t blocks, std::size_t d, Sink& sink) {
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::uint8_t* x = codes + block * 16 * d;
    const auto point = static_cast<std::uint32_t>(16 * block);
    std::size_t q = 0;
    for (; q + 3 <= nq; q += 3)
      scan_block<3>(queries + q * d, static_cast<std::uint32_t>(q), x, bias + point, point, d,
                    sink);
    for (; q < nq; ++q)
      scan_block<1>(queries + q * d, static_cast<std::uint32_t>(q), x, bias + point, point, d,
                    sink);
  }
}

// The sum of one pair of rows, both signed.
inline std::int32_t product(const std::int8_t* query, const std::int8_t* row, std::size_t d) {
  const __m128i flip = _mm_set1_epi8(-128);
  __m256i sum = _mm256_setzero_si256();
  std::size_t j = 0;
  for (; j + 16 <= d; j += 16) {
    const __m256i r = _mm256_cvtepu8_epi16(
        _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(row + j)), flip));
    const __m256i q =
        _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(query + j)));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(r, q));
  }
  std::int32_t total = lane_sum(sum);
  for (; j < d; ++j) total += query[j] * (row[j] + 128);
  return total;
}

}  // namespace
}  // namespace kf::KF_LEVEL
