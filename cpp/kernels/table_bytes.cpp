// Float tables to bytes: out = floor((entry - least) * inverse), at most `limit`. What a byte
// stands for never exceeds the entry but for the rounding of one product, which the caller's
// threshold allows for.
//
// And the least of each sixteen of them.

#include "kernels/product.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {

void table_range(const float* entries, std::size_t k, float* least, float* most) {
  float low = entries[0], high = entries[0];
  std::size_t i = 0;
#if KF_HAS_AVX512
  if (k >= 16) {
    __m512 l = _mm512_loadu_ps(entries), h = l;
    for (i = 16; i + 16 <= k; i += 16) {
      const __m512 x = _mm512_loadu_ps(entries + i);
      l = _mm512_min_ps(l, x);
      h = _mm512_max_ps(h, x);
    }
    low = _mm512_reduce_min_ps(l);
    high = _mm512_reduce_max_ps(h);
  }
#elif KF_HAS_AVX2
  if (k >= 8) {
    __m256 l = _mm256_loadu_ps(entries), h = l;
    for (i = 8; i + 8 <= k; i += 8) {
      const __m256 x = _mm256_loadu_ps(entries + i);
      l = _mm256_min_ps(l, x);
      h = _mm256_max_ps(h, x);
    }
    float lows[8], highs[8];
    _mm256_storeu_ps(lows, l);
    _mm256_storeu_ps(highs, h);
    for (int lane = 0; lane < 8; ++lane) {
      low = lows[lane] < low ? lows[lane] : low;
      high = highs[lane] > high ? highs[lane] : high;
    }
  }
#endif
  for (; i < k; ++i) {
    low = entries[i] < low ? entries[i] : low;
    high = entries[i] > high ? entries[i] : high;
  }
  *least = low;
  *most = high;
}

void table_bytes(const float* entries, std::size_t k, float least, float inverse,
                 std::uint32_t limit, std::uint8_t* out) {
  std::size_t i = 0;
#if KF_HAS_AVX512
  const __m512 low = _mm512_set1_ps(least), scale = _mm512_set1_ps(inverse);
  const __m512i most = _mm512_set1_epi32(static_cast<int>(limit));
  for (; i + 16 <= k; i += 16) {
    const __m512i x =
        _mm512_cvttps_epi32(_mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(entries + i), low), scale));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     _mm512_cvtepi32_epi8(_mm512_min_epu32(x, most)));
  }
#elif KF_HAS_AVX2
  const __m256 low = _mm256_set1_ps(least), scale = _mm256_set1_ps(inverse);
  const __m256i most = _mm256_set1_epi32(static_cast<int>(limit));
  for (; i + 8 <= k; i += 8) {
    const __m256i x = _mm256_min_epu32(
        _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(entries + i), low), scale)),
        most);
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + i), _mm_packus_epi16(words, words));
  }
#endif
  for (; i < k; ++i) {
    const float x = (entries[i] - least) * inverse;
    // NaN, of infinite entries, is the limit, as it is for vectors.
    out[i] = static_cast<std::uint8_t>(x < static_cast<float>(limit) ? static_cast<std::uint32_t>(x)
                                                                     : limit);
  }
}

void table_least(const std::uint8_t* bytes, std::size_t groups, std::uint8_t* out) {
  for (std::size_t g = 0; g < groups; ++g, bytes += 16) {
#if KF_HAS_AVX2
    // The least of each pair of bytes is a word.
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
    const __m128i pairs = _mm_minpos_epu16(_mm_min_epu8(x, _mm_srli_epi16(x, 8)));
    out[g] = static_cast<std::uint8_t>(_mm_cvtsi128_si32(pairs));
#else
    std::uint8_t least = bytes[0];
    for (int i = 1; i < 16; ++i) least = bytes[i] < least ? bytes[i] : least;
    out[g] = least;
#endif
  }
}

}  // namespace kf::KF_LEVEL
