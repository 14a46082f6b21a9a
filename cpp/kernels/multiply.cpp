// c += a b for small matrices: a (n, d), b (d, p), c (n, p), row-major, not overlapping. Each entry
// is a sum in the order of d by fused multiply-add, so the levels from AVX2 on agree bit for bit,
// whatever n and p. Bound: n d p multiply-adds.

#include "kernels/vectors.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

#if KF_HAS_AVX512

constexpr int rows_at_once = 6, columns_at_once = 64;

template <int Rows>
inline void tile(const float* a, std::size_t d, const float* b, std::size_t p, float* c,
                 std::size_t columns) {
  __mmask16 mask[4];
  for (int v = 0; v < 4; ++v) {
    const std::size_t at = 16 * static_cast<std::size_t>(v);
    const std::size_t left = columns > at ? columns - at : 0;
    mask[v] = static_cast<__mmask16>(left >= 16 ? 0xffffu : (1u << left) - 1u);
  }
  __m512 sums[Rows][4];
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < 4; ++v)
      sums[r][v] = _mm512_maskz_loadu_ps(mask[v], c + static_cast<std::size_t>(r) * p + 16 * v);
  for (std::size_t j = 0; j < d; ++j) {
    __m512 x[4];
    for (int v = 0; v < 4; ++v) x[v] = _mm512_maskz_loadu_ps(mask[v], b + j * p + 16 * v);
    for (int r = 0; r < Rows; ++r) {
      const __m512 y = _mm512_set1_ps(a[static_cast<std::size_t>(r) * d + j]);
      for (int v = 0; v < 4; ++v) sums[r][v] = _mm512_fmadd_ps(y, x[v], sums[r][v]);
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < 4; ++v)
      _mm512_mask_storeu_ps(c + static_cast<std::size_t>(r) * p + 16 * v, mask[v], sums[r][v]);
}

#elif KF_HAS_AVX2

constexpr int rows_at_once = 4, columns_at_once = 16;

template <int Rows>
inline void tile(const float* a, std::size_t d, const float* b, std::size_t p, float* c,
                 std::size_t columns) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i mask[2] = {
      _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(columns)), lane),
      _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(columns) - 8), lane)};
  __m256 sums[Rows][2];
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < 2; ++v)
      sums[r][v] = _mm256_maskload_ps(c + static_cast<std::size_t>(r) * p + 8 * v, mask[v]);
  for (std::size_t j = 0; j < d; ++j) {
    const __m256 x[2] = {_mm256_maskload_ps(b + j * p, mask[0]),
                         _mm256_maskload_ps(b + j * p + 8, mask[1])};
    for (int r = 0; r < Rows; ++r) {
      const __m256 y = _mm256_set1_ps(a[static_cast<std::size_t>(r) * d + j]);
      for (int v = 0; v < 2; ++v) sums[r][v] = _mm256_fmadd_ps(y, x[v], sums[r][v]);
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < 2; ++v)
      _mm256_maskstore_ps(c + static_cast<std::size_t>(r) * p + 8 * v, mask[v], sums[r][v]);
}

#else

constexpr int rows_at_once = 1, columns_at_once = 32;

template <int Rows>
inline void tile(const float* a, std::size_t d, const float* b, std::size_t p, float* c,
                 std::size_t columns) {
  for (std::size_t j = 0; j < d; ++j)
    for (std::size_t i = 0; i < columns; ++i) c[i] = fused(a[j], b[j * p + i], c[i]);
}

#endif

template <int Rows>
inline void strip(const float* a, std::size_t d, const float* b, std::size_t p, float* c) {
  for (std::size_t at = 0; at < p; at += columns_at_once)
    tile<Rows>(a, d, b + at, p, c + at, p - at < columns_at_once ? p - at : columns_at_once);
}

}  // namespace

void multiply(const float* a, std::size_t n, std::size_t d, const float* b, std::size_t p,
              float* c) {
  std::size_t i = 0;
  for (; i + rows_at_once <= n; i += rows_at_once)
    strip<rows_at_once>(a + i * d, d, b, p, c + i * p);
  for (; i < n; ++i) strip<1>(a + i * d, d, b, p, c + i * p);
}

}  // namespace kf::KF_LEVEL
