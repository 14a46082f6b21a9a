// What matching two photos' descriptors needs besides products of bytes: 8-bit RootSIFT codes, the
// nearest of a row, the nearest of every column. Whole numbers and correctly rounded roots: all
// levels agree bit for bit.

#include "kernels/table.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {

// out = min(255, round(scale * sqrt(x / sum of the row))), halves to even (Arandjelovic & Zisserman
// 2012).
void root_codes(const std::uint8_t* x, std::size_t n, std::size_t d, float scale,
                std::uint8_t* out) {
  // Added and taken off again, it leaves the nearest whole number of a float below 2^22.
  constexpr float rounder = 12582912.0f;
  for (std::size_t i = 0; i < n; ++i, x += d, out += d) {
    std::uint32_t sum = 0;
    for (std::size_t j = 0; j < d; ++j) sum += x[j];
    const float total = sum == 0 ? 1.0f : static_cast<float>(sum);
    for (std::size_t j = 0; j < d; ++j) {
      const float root = scale * __builtin_sqrtf(static_cast<float>(x[j]) / total);
      const float whole = root + rounder - rounder;
      const float kept = whole < 255.0f ? whole : 255.0f;
      out[j] = static_cast<std::uint8_t>(static_cast<std::int32_t>(kept));
    }
  }
}

// The position of the first of the largest numbers, n >= 1.
std::size_t first_largest(const std::int32_t* x, std::size_t n, std::int32_t* largest) {
  std::int32_t most = x[0];
  for (std::size_t i = 1; i < n; ++i) most = x[i] > most ? x[i] : most;
  *largest = most;
  std::size_t i = 0;
#if KF_LEVEL_RANK >= 2
  const __m512i wanted = _mm512_set1_epi32(most);
  for (; i + 16 <= n; i += 16)
    if (const unsigned mask = _mm512_cmpeq_epi32_mask(_mm512_loadu_si512(x + i), wanted))
      return i + static_cast<std::size_t>(__builtin_ctz(mask));
#elif KF_LEVEL_RANK >= 1
  const __m256i wanted = _mm256_set1_epi32(most);
  for (; i + 8 <= n; i += 8) {
    const __m256i equal =
        _mm256_cmpeq_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i)), wanted);
    if (const int mask = _mm256_movemask_ps(_mm256_castsi256_ps(equal)))
      return i + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(mask)));
  }
#endif
  while (x[i] != most) ++i;
  return i;
}

// Of each column, the first row whose sum less its `less` exceeds `best`; rows are numbered from
// `first`.
void column_best(const std::int32_t* sums, std::size_t rows, std::size_t stride,
                 const std::int32_t* less, std::uint32_t first, std::int32_t* best,
                 std::uint32_t* arg) {
  for (std::size_t at = 0; at < stride; at += 16) {
    std::int32_t most[16];
    for (int p = 0; p < 16; ++p) most[p] = INT32_MIN;
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t p = 0; p < 16; ++p) {
        const std::int32_t value = sums[r * stride + at + p] - less[r];
        most[p] = value > most[p] ? value : most[p];
      }
    std::uint32_t gains = 0;
    for (std::size_t p = 0; p < 16; ++p) gains |= most[p] > best[at + p] ? 1u << p : 0u;
    for (; gains; gains &= gains - 1) {
      const auto p = static_cast<std::size_t>(__builtin_ctz(gains));
      std::size_t r = 0;
      while (sums[r * stride + at + p] - less[r] != most[p]) ++r;
      best[at + p] = most[p];
      arg[at + p] = first + static_cast<std::uint32_t>(r);
    }
  }
}

}  // namespace kf::KF_LEVEL
