// What matching two photos' descriptors needs besides products of bytes: 8-bit RootSIFT codes, the
// nearest of a row, the nearest of every column. Whole numbers and correctly rounded roots: all
// levels agree bit for bit.

#include "kernels/geometry.h"
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

namespace {

// Vectors of the compiler, as wide as the level's.
#if KF_HAS_AVX512
constexpr std::size_t lanes = 16;
#elif KF_HAS_AVX2
constexpr std::size_t lanes = 8;
#else
constexpr std::size_t lanes = 4;
#endif
using Ints __attribute__((vector_size(4 * lanes), aligned(4), may_alias)) = std::int32_t;
using Words __attribute__((vector_size(4 * lanes), aligned(4), may_alias)) = std::uint64_t;

inline const Ints& at(const std::int32_t* x) { return *reinterpret_cast<const Ints*>(x); }

inline void grow(Ints& most, const Ints& x) { most = x > most ? x : most; }

}  // namespace

// The position of the first of the largest numbers, n >= 1.
std::size_t first_largest(const std::int32_t* x, std::size_t n, std::int32_t* largest) {
  std::int32_t most = x[0];
  std::size_t i = 0;
  if (n >= 4 * lanes) {
    Ints a = at(x), b = at(x + lanes), c = at(x + 2 * lanes), d = at(x + 3 * lanes);
    for (i = 4 * lanes; i + 4 * lanes <= n; i += 4 * lanes) {
      grow(a, at(x + i));
      grow(b, at(x + i + lanes));
      grow(c, at(x + i + 2 * lanes));
      grow(d, at(x + i + 3 * lanes));
    }
    grow(a, b);
    grow(c, d);
    grow(a, c);
    for (std::size_t p = 0; p < lanes; ++p) most = a[p] > most ? a[p] : most;
  }
  for (; i < n; ++i) most = x[i] > most ? x[i] : most;
  *largest = most;
  i = 0;
#if KF_HAS_AVX512
  const __m512i wanted = _mm512_set1_epi32(most);
  for (; i + 16 <= n; i += 16)
    if (const unsigned mask = _mm512_cmpeq_epi32_mask(_mm512_loadu_si512(x + i), wanted))
      return i + static_cast<std::size_t>(__builtin_ctz(mask));
#elif KF_HAS_AVX2
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
  for (std::size_t column = 0; column < stride; column += lanes) {
    Ints most = at(best + column);
    for (std::size_t r = 0; r < rows; ++r) grow(most, at(sums + r * stride + column) - less[r]);
    const Ints gains = most > at(best + column);
    const Words words = reinterpret_cast<const Words&>(gains);
    std::uint64_t any = 0;
    for (std::size_t w = 0; w < lanes / 2; ++w) any |= words[w];
    if (!any) continue;
    for (std::size_t p = 0; p < lanes; ++p) {
      if (!gains[p]) continue;
      std::size_t r = 0;
      while (sums[r * stride + column + p] - less[r] != most[p]) ++r;
      best[column + p] = most[p];
      arg[column + p] = first + static_cast<std::uint32_t>(r);
    }
  }
}

}  // namespace kf::KF_LEVEL
