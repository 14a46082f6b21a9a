// The lists of visual words: what the postings of one word add to their photos' scores. Twenty
// bytes a posting of 128 bits, which lie one after the other; a photo occurs once. With one count
// instruction for eight words the scattered additions are what is left, so that postings without a
// share are put aside first.

#include "kernels/bits.h"
#include "kernels/table.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

inline std::int32_t distance(const std::uint64_t* a, const std::uint64_t* b, std::size_t words) {
  if (words == 2) return count_bits(a[0] ^ b[0]) + count_bits(a[1] ^ b[1]);
  std::int32_t sum = 0;
  for (std::size_t w = 0; w < words; ++w) sum += count_bits(a[w] ^ b[w]);
  return sum;
}

#if KF_LEVEL_RANK >= 3
constexpr std::size_t buffered = 256;

// Codes of two words, eight at a time.
void add_pairs(const std::uint64_t* query, const std::uint64_t* codes, const std::uint32_t* photos,
               std::size_t n, const float* shares, std::int32_t limit, float weight,
               float* scores) {
  const __m512i q =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(query)));
  const __m512i most = _mm512_set1_epi64(limit);
  // Adding the words of two registers leaves the codes in this order.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  std::uint32_t photo[buffered + 8];
  std::int32_t apart[buffered + 8];
  std::size_t i = 0;
  while (i < n) {
    std::size_t found = 0;
    for (; i < n && found < buffered; i += 8) {
      const std::size_t rest = n - i < 8 ? n - i : 8;
      const auto lanes = static_cast<std::uint32_t>((1u << (2 * rest)) - 1u);
      const std::uint64_t* at = codes + 2 * i;
      const __m512i a = _mm512_popcnt_epi64(
          _mm512_xor_si512(q, _mm512_maskz_loadu_epi64(static_cast<__mmask8>(lanes), at)));
      const __m512i b = _mm512_popcnt_epi64(
          _mm512_xor_si512(q, _mm512_maskz_loadu_epi64(static_cast<__mmask8>(lanes >> 8), at + 8)));
      const __m512i sum =
          _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
      const auto valid = static_cast<__mmask8>((1u << rest) - 1u);
      const __m256i ids =
          _mm256_permutexvar_epi32(order, _mm256_maskz_loadu_epi32(valid, photos + i));
      __mmask8 near = _mm512_cmplt_epi64_mask(sum, most);
      if (rest < 8)
        near &= _mm256_movepi32_mask(_mm256_permutexvar_epi32(order, _mm256_movm_epi32(valid)));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(photo + found),
                          _mm256_maskz_compress_epi32(near, ids));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(apart + found),
                          _mm256_maskz_compress_epi32(near, _mm512_cvtepi64_epi32(sum)));
      found += static_cast<std::size_t>(__builtin_popcount(near));
    }
    for (std::size_t j = 0; j < found; ++j) scores[photo[j]] += weight * shares[apart[j]];
  }
}
#endif

}  // namespace

void add_alike(const std::uint64_t* query, const std::uint64_t* codes, const std::uint32_t* photos,
               std::size_t n, std::size_t words, const float* shares, std::int32_t limit,
               float weight, float* scores) {
#if KF_LEVEL_RANK >= 3
  if (words == 2) return add_pairs(query, codes, photos, n, shares, limit, weight, scores);
#else
  static_cast<void>(limit);
#endif
  for (std::size_t i = 0; i < n; ++i)
    scores[photos[i]] += weight * shares[distance(query, codes + i * words, words)];
}

}  // namespace kf::KF_LEVEL
