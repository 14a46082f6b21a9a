// Which codes lie within a Hamming distance of a query? Blocks of eight codes: (blocks, words, 8),
// so that eight distances add up side by side. Eight bytes a word and code; one exclusive or, one
// count and one addition for eight words.

#include "kernels/bits.h"
#include "kernels/hamming.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

#if KF_HAS_AVX512

inline __m512i bits_of(__m512i v) {
#if KF_HAS_AVX512ICL
  return _mm512_popcnt_epi64(v);
#else
  const __m512i low = _mm512_set1_epi8(15);
  const __m512i counts =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const __m512i nibbles =
      _mm512_add_epi8(_mm512_shuffle_epi8(counts, _mm512_and_si512(v, low)),
                      _mm512_shuffle_epi8(counts, _mm512_and_si512(_mm512_srli_epi64(v, 4), low)));
  return _mm512_sad_epu8(nibbles, _mm512_setzero_si512());
#endif
}

// Writes the lanes in `mask`.
inline std::size_t put(__m512i distances, unsigned mask, std::size_t block, std::size_t found,
                       std::uint32_t* rows, std::int32_t* out) {
  const __m256i places = _mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(8 * block)),
                                          _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  const auto lanes = static_cast<__mmask8>(mask);
  _mm256_mask_compressstoreu_epi32(rows + found, lanes, places);
  _mm256_mask_compressstoreu_epi32(out + found, lanes, _mm512_cvtepi64_epi32(distances));
  return found + static_cast<std::size_t>(__builtin_popcount(mask));
}

// Words known at compile time stay in registers; 0: any number.
template <std::size_t fixed>
std::size_t within(const std::uint64_t* query, const std::uint64_t* codes, std::size_t blocks,
                   std::size_t words, std::int32_t limit, std::uint32_t* rows,
                   std::int32_t* distances) {
  const std::size_t m = fixed ? fixed : words;
  const __m512i most = _mm512_set1_epi64(limit);
  __m512i q[fixed ? fixed : 1];
  for (std::size_t w = 0; w < fixed; ++w)
    q[w] = _mm512_set1_epi64(static_cast<long long>(query[w]));
  const auto word = [&](std::size_t w) {
    if constexpr (fixed != 0) return q[w];
    return _mm512_set1_epi64(static_cast<long long>(query[w]));
  };
  constexpr std::size_t together = 4;
  std::size_t found = 0, b = 0;
  for (; b + together <= blocks; b += together) {
    __m512i sum[together];
    for (std::size_t i = 0; i < together; ++i) sum[i] = _mm512_setzero_si512();
    for (std::size_t w = 0; w < m; ++w)
      for (std::size_t i = 0; i < together; ++i)
        sum[i] = _mm512_add_epi64(
            sum[i],
            bits_of(_mm512_xor_si512(word(w), _mm512_loadu_si512(codes + ((b + i) * m + w) * 8))));
    unsigned masks[together], any = 0;
    for (std::size_t i = 0; i < together; ++i)
      any |= masks[i] = _mm512_cmple_epi64_mask(sum[i], most);
    if (__builtin_expect(any != 0, 0))
      for (std::size_t i = 0; i < together; ++i)
        if (masks[i]) found = put(sum[i], masks[i], b + i, found, rows, distances);
  }
  for (; b < blocks; ++b) {
    __m512i sum = _mm512_setzero_si512();
    for (std::size_t w = 0; w < m; ++w)
      sum = _mm512_add_epi64(
          sum, bits_of(_mm512_xor_si512(word(w), _mm512_loadu_si512(codes + (b * m + w) * 8))));
    const unsigned mask = _mm512_cmple_epi64_mask(sum, most);
    if (mask) found = put(sum, mask, b, found, rows, distances);
  }
  return found;
}

#else

#if KF_HAS_AVX2
inline __m256i bits_of(__m256i v) {
  const __m256i low = _mm256_set1_epi8(15);
  const __m256i counts =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const __m256i nibbles =
      _mm256_add_epi8(_mm256_shuffle_epi8(counts, _mm256_and_si256(v, low)),
                      _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi64(v, 4), low)));
  return _mm256_sad_epu8(nibbles, _mm256_setzero_si256());
}
#endif

template <std::size_t fixed>
std::size_t within(const std::uint64_t* query, const std::uint64_t* codes, std::size_t blocks,
                   std::size_t words, std::int32_t limit, std::uint32_t* rows,
                   std::int32_t* distances) {
  const std::size_t m = fixed ? fixed : words;
  std::size_t found = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::uint64_t* block = codes + b * m * 8;
    std::int64_t sums[8];
#if KF_HAS_AVX2
    __m256i left = _mm256_setzero_si256(), right = left;
    for (std::size_t w = 0; w < m; ++w) {
      const __m256i q = _mm256_set1_epi64x(static_cast<long long>(query[w]));
      const auto* at = reinterpret_cast<const __m256i*>(block + 8 * w);
      left = _mm256_add_epi64(left, bits_of(_mm256_xor_si256(q, _mm256_loadu_si256(at))));
      right = _mm256_add_epi64(right, bits_of(_mm256_xor_si256(q, _mm256_loadu_si256(at + 1))));
    }
    const __m256i most = _mm256_set1_epi64x(limit);
    const __m256i beyond =
        _mm256_and_si256(_mm256_cmpgt_epi64(left, most), _mm256_cmpgt_epi64(right, most));
    if (_mm256_movemask_epi8(beyond) == -1) continue;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), left);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 4), right);
#elif KF_HAS_NEON
    uint64x2_t pairs[4];
    for (auto& pair : pairs) pair = vdupq_n_u64(0);
    for (std::size_t w = 0; w < m; ++w) {
      const uint64x2_t q = vdupq_n_u64(query[w]);
      for (int i = 0; i < 4; ++i) {
        const uint64x2_t differ = veorq_u64(q, vld1q_u64(block + 8 * w + 2 * i));
        const uint8x16_t bytes = vcntq_u8(vreinterpretq_u8_u64(differ));
        pairs[i] = vpadalq_u32(pairs[i], vpaddlq_u16(vpaddlq_u8(bytes)));
      }
    }
    for (int i = 0; i < 4; ++i) vst1q_s64(sums + 2 * i, vreinterpretq_s64_u64(pairs[i]));
#else
    for (std::size_t i = 0; i < 8; ++i) {
      sums[i] = 0;
      for (std::size_t w = 0; w < m; ++w) sums[i] += count_bits(query[w] ^ block[8 * w + i]);
    }
#endif
    for (std::size_t i = 0; i < 8; ++i)
      if (sums[i] <= limit) {
        rows[found] = static_cast<std::uint32_t>(8 * b + i);
        distances[found++] = static_cast<std::int32_t>(sums[i]);
      }
  }
  return found;
}

#endif

}  // namespace

std::size_t hamming_within(const std::uint64_t* query, const std::uint64_t* codes,
                           std::size_t blocks, std::size_t words, std::int32_t limit,
                           std::uint32_t* rows, std::int32_t* distances) {
  switch (words) {
    case 1:
      return within<1>(query, codes, blocks, words, limit, rows, distances);
    case 2:
      return within<2>(query, codes, blocks, words, limit, rows, distances);
    case 4:
      return within<4>(query, codes, blocks, words, limit, rows, distances);
    default:
      return within<0>(query, codes, blocks, words, limit, rows, distances);
  }
}

}  // namespace kf::KF_LEVEL
