// Selection among 32-bit sums: where are the largest? One pass each, 4 bytes a sum.

#include "kernels/filters.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {

void group_max(const std::int32_t* sums, std::size_t n, std::size_t groups, std::int32_t* out) {
  for (std::size_t g = 0; g < groups; ++g) out[g] = sums[g];
  for (std::size_t at = groups; at < n; at += groups) {
    const std::size_t count = n - at < groups ? n - at : groups;
    for (std::size_t g = 0; g < count; ++g) out[g] = sums[at + g] > out[g] ? sums[at + g] : out[g];
  }
}

std::size_t at_least(const std::int32_t* sums, std::size_t n, std::int32_t threshold,
                     std::uint32_t* out) {
  std::size_t found = 0, i = 0;
#if KF_HAS_AVX512
  const __m512i limit = _mm512_set1_epi32(threshold);
  for (; i + 16 <= n; i += 16) {
    unsigned mask = _mm512_cmpge_epi32_mask(_mm512_loadu_si512(sums + i), limit);
    for (; mask; mask &= mask - 1)
      out[found++] =
          static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(__builtin_ctz(mask));
  }
#elif KF_HAS_AVX2
  const __m256i limit = _mm256_set1_epi32(threshold);
  for (; i + 8 <= n; i += 8) {
    const __m256i below =
        _mm256_cmpgt_epi32(limit, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + i)));
    unsigned mask = ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(below))) & 0xffu;
    for (; mask; mask &= mask - 1)
      out[found++] =
          static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(__builtin_ctz(mask));
  }
#endif
  for (; i < n; ++i)
    if (sums[i] >= threshold) out[found++] = static_cast<std::uint32_t>(i);
  return found;
}

}  // namespace kf::KF_LEVEL
