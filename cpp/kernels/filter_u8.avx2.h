// The 16-bit form for AVX2 and plain AVX-512: 8-bit products in pairs (VPMADDUBSW) would saturate, so
// codes are widened and multiplied by VPMADDWD. Three queries share each widened block.

namespace kf::KF_LEVEL {
namespace {

template <int Queries>
inline std::size_t scan_block(const std::int16_t* queries, std::uint32_t first, const std::uint8_t* codes,
                              const std::int32_t* bias, std::uint32_t point, std::size_t d,
                              const std::int32_t* thresholds, std::uint32_t* hits) {
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
      const __m256i x = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + 16 * part)));
      for (int q = 0; q < Queries; ++q)
        sums[q][part] = _mm256_add_epi32(sums[q][part], _mm256_madd_epi16(x, y[q]));
    }
  }
  std::size_t found = 0;
  for (int q = 0; q < Queries; ++q) {
    const __m256i threshold = _mm256_set1_epi32(thresholds[q]);
    for (int half = 0; half < 2; ++half) {
      // Pairs of partial sums; HADD works within 128-bit lanes, the permutation restores the points' order.
      const __m256i pairs = _mm256_permute4x64_epi64(
          _mm256_hadd_epi32(sums[q][2 * half], sums[q][2 * half + 1]), 0xd8);
      const __m256i total =
          _mm256_add_epi32(pairs, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bias + 8 * half)));
      unsigned mask =
          ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(threshold, total)))) & 0xffu;
      for (; mask; mask &= mask - 1)
        hits[found++] = (first + static_cast<std::uint32_t>(q)) << 16 |
                        (point + static_cast<std::uint32_t>(8 * half + __builtin_ctz(mask)));
    }
  }
  return found;
}

inline std::size_t scan_wide(const std::int16_t* queries, std::size_t nq, const std::uint8_t* codes,
                             const std::int32_t* bias, std::size_t blocks, std::size_t d,
                             const std::int32_t* thresholds, std::uint32_t* hits) {
  while (nq > 1 && thresholds[nq - 1] == INT32_MAX) --nq;  // rows that only fill up the last tile
  std::size_t found = 0;
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::uint8_t* x = codes + block * 16 * d;
    const auto point = static_cast<std::uint32_t>(16 * block);
    std::size_t q = 0;
    for (; q + 3 <= nq; q += 3)
      found += scan_block<3>(queries + q * d, static_cast<std::uint32_t>(q), x, bias + point, point, d, thresholds + q, hits + found);
    for (; q < nq; ++q)
      found += scan_block<1>(queries + q * d, static_cast<std::uint32_t>(q), x, bias + point, point, d, thresholds + q, hits + found);
  }
  return found;
}

}  // namespace
}  // namespace kf::KF_LEVEL
