// Integer products of one 8-bit query with rows that lie anywhere: the filter of candidates that
// trees and hash tables propose. One or two cache lines a row, which the caller has fetched ahead.
// Sums wrap around as those of vectors do: a bias may come from a file.

#include "kernels/filters.h"
#include "simd/vec.h"

#if KF_HAS_AVX2 && !KF_HAS_AVX512ICL
#include "kernels/lane_sum.avx2.h"
#endif

namespace kf::KF_LEVEL {
namespace {

#if KF_HAS_AVX512ICL
inline std::int32_t product(const std::int8_t* query, const std::uint8_t* row, std::size_t d) {
  __m512i sum = _mm512_setzero_si512();
  std::size_t j = 0;
  for (; j + 64 <= d; j += 64)
    sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(row + j), _mm512_loadu_si512(query + j));
  if (j < d) {
    const __mmask64 mask = (std::uint64_t{1} << (d - j)) - 1;
    sum = _mm512_dpbusd_epi32(sum, _mm512_maskz_loadu_epi8(mask, row + j),
                              _mm512_maskz_loadu_epi8(mask, query + j));
  }
  return _mm512_reduce_add_epi32(sum);
}
#elif KF_HAS_AVXVNNI
inline std::int32_t product(const std::int8_t* query, const std::uint8_t* row, std::size_t d) {
  __m256i sum = _mm256_setzero_si256();
  std::size_t j = 0;
  for (; j + 32 <= d; j += 32)
    sum =
        _mm256_dpbusd_avx_epi32(sum, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + j)),
                                _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query + j)));
  auto total = static_cast<std::uint32_t>(lane_sum(sum));
  for (; j < d; ++j) total += static_cast<std::uint32_t>(query[j] * row[j]);
  return static_cast<std::int32_t>(total);
}
#elif KF_HAS_AVX2
// 16-bit products cannot overflow as they do where bytes are multiplied and added in one step.
inline std::int32_t product(const std::int8_t* query, const std::uint8_t* row, std::size_t d) {
  __m256i sum = _mm256_setzero_si256();
  std::size_t j = 0;
  for (; j + 16 <= d; j += 16) {
    const __m256i r =
        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(row + j)));
    const __m256i q =
        _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(query + j)));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(r, q));
  }
  auto total = static_cast<std::uint32_t>(lane_sum(sum));
  for (; j < d; ++j) total += static_cast<std::uint32_t>(query[j] * row[j]);
  return static_cast<std::int32_t>(total);
}
#elif KF_HAS_NEON
// Codes are unsigned, products signed: 128 is taken from each and given back.
inline std::int32_t product(const std::int8_t* query, const std::uint8_t* row, std::size_t d) {
  const uint8x16_t flip = vdupq_n_u8(128);
  const int8x16_t middle = vdupq_n_s8(64);
  int32x4_t sum = vdupq_n_s32(0), half = sum;
  std::size_t j = 0;
  for (; j + 16 <= d; j += 16) {
    const int8x16_t q = vld1q_s8(query + j);
    sum = vdotq_s32(sum, vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row + j), flip)), q);
    half = vdotq_s32(half, middle, q);
  }
  auto total = static_cast<std::uint32_t>(vaddvq_s32(sum) + 2 * vaddvq_s32(half));
  for (; j < d; ++j) total += static_cast<std::uint32_t>(query[j] * row[j]);
  return static_cast<std::int32_t>(total);
}
#else
inline std::int32_t product(const std::int8_t* query, const std::uint8_t* row, std::size_t d) {
  std::uint32_t total = 0;
  for (std::size_t j = 0; j < d; ++j) total += static_cast<std::uint32_t>(query[j] * row[j]);
  return static_cast<std::int32_t>(total);
}
#endif

}  // namespace

void row_sums(const std::int8_t* query, std::size_t d, const std::uint8_t* codes,
              std::size_t stride, const std::int32_t* bias, const std::uint32_t* rows,
              std::size_t n, std::int32_t* sums) {
  for (std::size_t i = 0; i < n; ++i)
    sums[i] = static_cast<std::int32_t>(
        static_cast<std::uint32_t>(product(query, codes + rows[i] * stride, d)) +
        static_cast<std::uint32_t>(bias[rows[i]]));
}

}  // namespace kf::KF_LEVEL
