// Sums of residuals to a visual word, and the signs of such a sum (Tolias, Avrithis and Jegou
// 2013). Components are added in the order of the rows and none is fused, so all levels agree bit
// for bit. Four bytes a component and row, from memory: rows and words lie scattered.

#include "kernels/words.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {

void residual_sum(const float* const* rows, std::size_t n, const float* centre, std::size_t d,
                  float* sum) {
  const float* first = rows[0];
  for (std::size_t j = 0; j < d; ++j) sum[j] = first[j] - centre[j];
  for (std::size_t i = 1; i < n; ++i) {
    const float* row = rows[i];
    for (std::size_t j = 0; j < d; ++j) sum[j] += row[j] - centre[j];
  }
}

// Bit j: sum[j] > limit[j], or > 0 where limit is null. Bits from d on are zero.
void sign_bits(const float* sum, const float* limit, std::size_t d, std::uint64_t* bits) {
  for (std::size_t start = 0; start < d; start += 64) {
    const std::size_t count = d - start < 64 ? d - start : 64;
    std::uint64_t word = 0;
    std::size_t j = 0;
#if defined(__AVX512F__)
    for (; j + 16 <= count; j += 16) {
      const __m512 v = _mm512_loadu_ps(sum + start + j), zero = _mm512_setzero_ps();
      const __m512 least = limit ? _mm512_loadu_ps(limit + start + j) : zero;
      word |= static_cast<std::uint64_t>(_mm512_cmp_ps_mask(v, least, _CMP_GT_OQ)) << j;
    }
#elif defined(__AVX2__)
    for (; j + 8 <= count; j += 8) {
      const __m256 v = _mm256_loadu_ps(sum + start + j), zero = _mm256_setzero_ps();
      const __m256 least = limit ? _mm256_loadu_ps(limit + start + j) : zero;
      const int above = _mm256_movemask_ps(_mm256_cmp_ps(v, least, _CMP_GT_OQ));
      word |= static_cast<std::uint64_t>(above) << j;
    }
#endif
    for (; j < count; ++j) {
      const float v = sum[start + j];
      word |= static_cast<std::uint64_t>(v > (limit ? limit[start + j] : 0.0f)) << j;
    }
    bits[start / 64] = word;
  }
}

}  // namespace kf::KF_LEVEL
