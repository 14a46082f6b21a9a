// The lists of visual words: what the postings of one word add to their photos' scores. Twenty
// bytes a posting of 128 bits, which lie one after the other; a photo occurs once. With one count
// instruction for eight words and shares that wait in registers the scattered additions are what is
// left, so that postings without a share are put aside first.

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

inline __m512i differing(__m512i query, __mmask8 lanes, const std::uint64_t* codes) {
  return _mm512_popcnt_epi64(_mm512_xor_si512(query, _mm512_maskz_loadu_epi64(lanes, codes)));
}

// Distances of eight codes of two words as 32 bits, in the order 0 4 1 5 2 6 3 7.
inline __m256i distances(__m512i query, unsigned lanes, const std::uint64_t* codes) {
  const __m512i a = differing(query, static_cast<__mmask8>(lanes), codes);
  const __m512i b = differing(query, static_cast<__mmask8>(lanes >> 8), codes + 8);
  return _mm512_cvtepi64_epi32(
      _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b)));
}

// Codes of two words, sixteen at a time; shares are zero from 64 on.
void add_pairs(const std::uint64_t* query, const std::uint64_t* codes, const std::uint32_t* photos,
               std::size_t n, const float* shares, std::int32_t limit, float weight,
               float* scores) {
  const __m512i q =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(query)));
  const __m512i most = _mm512_set1_epi32(limit), upper = _mm512_set1_epi32(32);
  const __m512i order = _mm512_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
  __m512 share[4];
  for (std::size_t i = 0; i < 4; ++i)
    share[i] = _mm512_mul_ps(_mm512_set1_ps(weight), _mm512_loadu_ps(shares + 16 * i));
  std::uint32_t photo[buffered + 16];
  float added[buffered + 16];
  std::size_t i = 0;
  while (i < n) {
    std::size_t found = 0;
    for (; i < n && found < buffered; i += 16) {
      const std::size_t rest = n - i < 16 ? n - i : 16;
      const auto valid = static_cast<__mmask16>((1u << rest) - 1u);
      const auto lanes = static_cast<std::uint32_t>((std::uint64_t{1} << (2 * rest)) - 1u);
      const std::uint64_t* at = codes + 2 * i;
      const __m512i apart = _mm512_permutexvar_epi32(
          order, _mm512_inserti64x4(_mm512_castsi256_si512(distances(q, lanes, at)),
                                    distances(q, lanes >> 16, at + 16), 1));
      const __mmask16 near = _mm512_mask_cmplt_epi32_mask(valid, apart, most);
      const __m512 shared = _mm512_mask_mov_ps(_mm512_permutex2var_ps(share[0], apart, share[1]),
                                               _mm512_test_epi32_mask(apart, upper),
                                               _mm512_permutex2var_ps(share[2], apart, share[3]));
      const __m512i ids = _mm512_maskz_loadu_epi32(valid, photos + i);
      _mm512_storeu_si512(photo + found, _mm512_maskz_compress_epi32(near, ids));
      _mm512_storeu_ps(added + found, _mm512_maskz_compress_ps(near, shared));
      found += static_cast<std::size_t>(__builtin_popcount(near));
    }
    for (std::size_t j = 0; j < found; ++j) scores[photo[j]] += added[j];
  }
}
#endif

}  // namespace

void add_alike(const std::uint64_t* query, const std::uint64_t* codes, const std::uint32_t* photos,
               std::size_t n, std::size_t words, const float* shares, std::int32_t limit,
               float weight, float* scores) {
#if KF_LEVEL_RANK >= 3
  if (words == 2 && limit <= 64)
    return add_pairs(query, codes, photos, n, shares, limit, weight, scores);
#else
  static_cast<void>(limit);
#endif
  for (std::size_t i = 0; i < n; ++i)
    scores[photos[i]] += weight * shares[distance(query, codes + i * words, words)];
}

}  // namespace kf::KF_LEVEL
