// The lists of visual words: what the postings of one word add to their photos' scores. Twenty
// bytes a posting of 128 bits, which lie one after the other; a photo occurs once. With one count
// instruction for eight words and shares that wait in registers the scattered additions are what is
// left, so that postings without a share are put aside first. Several queries share the reading of
// a posting, and a row of scores that is read and written once for all of them.

#include "kernels/bits.h"
#include "kernels/words.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

inline std::int32_t distance(const std::uint64_t* a, const std::uint64_t* b, std::size_t words) {
  if (words == 2) return count_bits(a[0] ^ b[0]) + count_bits(a[1] ^ b[1]);
  std::int32_t sum = 0;
  for (std::size_t w = 0; w < words; ++w) sum += count_bits(a[w] ^ b[w]);
  return sum;
}

#if KF_HAS_AVX512ICL
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

// What distances below 64 count, times a weight: 64 floats in registers.
struct Shares {
  __m512 share[4];
  Shares(const float* shares, float weight) {
    for (std::size_t i = 0; i < 4; ++i)
      share[i] = _mm512_mul_ps(_mm512_set1_ps(weight), _mm512_loadu_ps(shares + 16 * i));
  }
  __m512 operator()(__m512i apart) const {
    return _mm512_mask_mov_ps(_mm512_permutex2var_ps(share[0], apart, share[1]),
                              _mm512_test_epi32_mask(apart, _mm512_set1_epi32(32)),
                              _mm512_permutex2var_ps(share[2], apart, share[3]));
  }
};

// Codes of two words, sixteen at a time; shares are zero from 64 on.
void add_pairs(const std::uint64_t* query, const std::uint64_t* codes, const std::uint32_t* photos,
               std::size_t n, const float* shares, std::int32_t limit, float weight,
               float* scores) {
  const __m512i q =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(query)));
  const __m512i most = _mm512_set1_epi32(limit);
  const __m512i order = _mm512_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
  const Shares share(shares, weight);
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
      const __m512i ids = _mm512_maskz_loadu_epi32(valid, photos + i);
      _mm512_storeu_si512(photo + found, _mm512_maskz_compress_epi32(near, ids));
      _mm512_storeu_ps(added + found, _mm512_maskz_compress_ps(near, share(apart)));
      found += static_cast<std::size_t>(__builtin_popcount(near));
    }
    for (std::size_t j = 0; j < found; ++j) scores[photo[j]] += added[j];
  }
}

// Codes of two words against up to 4 * Groups queries, one code at a time: a photo's scores are one
// register, to which all are added at once.
template <std::size_t Groups>
void add_rows(const std::uint64_t* queries, const std::uint8_t* columns, std::size_t m,
              const std::uint64_t* codes, const std::uint32_t* photos, std::size_t n,
              const float* shares, std::int32_t limit, float weight, std::size_t first,
              float* scores) {
  const __m512i most = _mm512_set1_epi32(limit);
  const Shares share(shares, weight);
  __m512i query[4];
  for (std::size_t g = 0; g < 4; ++g) {
    const std::size_t left = m > 4 * g ? m - 4 * g : 0;
    const auto lanes = static_cast<__mmask8>(left < 4 ? (1u << (2 * left)) - 1u : 0xffu);
    query[g] = _mm512_maskz_loadu_epi64(lanes, queries + 8 * g);
  }
  // Where a column finds the distance of its query: four to a register of 128-bit lanes, registers
  // 0 and 1 in turn, then 2 and 3.
  alignas(64) std::int32_t place[16] = {};
  unsigned held = 0;
  for (std::size_t i = 0; i < m; ++i) {
    const std::size_t g = i / 4;
    place[columns[i]] = static_cast<std::int32_t>(16 * (g / 2) + 4 * (i % 4) + g % 2);
    held |= 1u << columns[i];
  }
  const __m512i places = _mm512_load_si512(place);
  const auto used = static_cast<__mmask16>(held);
  const auto apart = [&](__m512i code, std::size_t g) {
    const __m512i ones = _mm512_popcnt_epi64(_mm512_xor_si512(code, query[g]));
    return _mm512_add_epi64(ones, _mm512_shuffle_epi32(ones, _MM_PERM_BADC));
  };
  const auto pair = [&](__m512i code, std::size_t g) {
    const __m512i low = apart(code, g);
    return g + 1 < Groups ? _mm512_or_si512(low, _mm512_slli_epi64(apart(code, g + 1), 32)) : low;
  };
  for (std::size_t i = 0; i < n; ++i) {
    const __m512i code =
        _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + 2 * i)));
    const __m512i all = Groups > 2 ? _mm512_permutex2var_epi32(pair(code, 0), places, pair(code, 2))
                                   : _mm512_permutexvar_epi32(places, pair(code, 0));
    float* row = scores + 16 * (photos[i] - first);
    const __m512 sums = _mm512_loadu_ps(row);
    const __mmask16 near = _mm512_mask_cmplt_epi32_mask(used, all, most);
    _mm512_storeu_ps(row, _mm512_mask_add_ps(sums, near, sums, share(all)));
  }
}
#endif

}  // namespace

void add_alike(const std::uint64_t* query, const std::uint64_t* codes, const std::uint32_t* photos,
               std::size_t n, std::size_t words, const float* shares, std::int32_t limit,
               float weight, float* scores) {
#if KF_HAS_AVX512ICL
  if (words == 2 && limit <= 64)
    return add_pairs(query, codes, photos, n, shares, limit, weight, scores);
#else
  static_cast<void>(limit);
#endif
  for (std::size_t i = 0; i < n; ++i)
    scores[photos[i]] += weight * shares[distance(query, codes + i * words, words)];
}

void add_alike_rows(const std::uint64_t* queries, const std::uint8_t* columns, std::size_t m,
                    const std::uint64_t* codes, const std::uint32_t* photos, std::size_t n,
                    std::size_t words, const float* shares, std::int32_t limit, float weight,
                    std::size_t first, float* scores) {
#if KF_HAS_AVX512ICL
  if (words == 2 && limit <= 64) {
    const auto add = m <= 4    ? add_rows<1>
                     : m <= 8  ? add_rows<2>
                     : m <= 12 ? add_rows<3>
                               : add_rows<4>;
    return add(queries, columns, m, codes, photos, n, shares, limit, weight, first, scores);
  }
#else
  static_cast<void>(limit);
#endif
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < m; ++j)
      scores[16 * (photos[i] - first) + columns[j]] +=
          weight * shares[distance(queries + j * words, codes + i * words, words)];
}

}  // namespace kf::KF_LEVEL
