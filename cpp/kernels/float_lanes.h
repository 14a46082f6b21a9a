#pragma once
// Float32 numbers side by side, one for each query, and how many of them and of the points a tile of
// products holds in registers.

#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

#if defined(__AVX512F__)
using Lanes = __m512;
constexpr int width = 16, most_points = 6;
inline Lanes load(const float* p) { return _mm512_loadu_ps(p); }
inline Lanes splat(float x) { return _mm512_set1_ps(x); }
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
inline Lanes add(Lanes a, Lanes b) { return _mm512_add_ps(a, b); }
inline Lanes smaller(Lanes a, Lanes b) { return _mm512_min_ps(a, b); }
inline Lanes larger(Lanes a, Lanes b) { return _mm512_max_ps(a, b); }
// a where x > y, else b.
inline Lanes where_larger(Lanes x, Lanes y, Lanes a, Lanes b) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_GT_OQ), b, a);
}
inline void store(float* p, Lanes a) { _mm512_storeu_ps(p, a); }
inline unsigned at_least(Lanes a, Lanes b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
constexpr int most_lanes = 4;
#elif defined(__AVX2__)
using Lanes = __m256;
constexpr int width = 8, most_points = 6;
inline Lanes load(const float* p) { return _mm256_loadu_ps(p); }
inline Lanes splat(float x) { return _mm256_set1_ps(x); }
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }
inline Lanes add(Lanes a, Lanes b) { return _mm256_add_ps(a, b); }
inline Lanes smaller(Lanes a, Lanes b) { return _mm256_min_ps(a, b); }
inline Lanes larger(Lanes a, Lanes b) { return _mm256_max_ps(a, b); }
inline Lanes where_larger(Lanes x, Lanes y, Lanes a, Lanes b) {
  return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, y, _CMP_GT_OQ));
}
inline void store(float* p, Lanes a) { _mm256_storeu_ps(p, a); }
inline unsigned at_least(Lanes a, Lanes b) {
  return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)));
}
constexpr int most_lanes = 2;
#elif KF_HAS_NEON
using Lanes = float32x4_t;
constexpr int width = 4, most_points = 6;
inline Lanes load(const float* p) { return vld1q_f32(p); }
inline Lanes splat(float x) { return vdupq_n_f32(x); }
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return vfmaq_f32(c, a, b); }
inline Lanes add(Lanes a, Lanes b) { return vaddq_f32(a, b); }
inline Lanes smaller(Lanes a, Lanes b) { return vminq_f32(a, b); }
inline Lanes larger(Lanes a, Lanes b) { return vmaxq_f32(a, b); }
inline Lanes where_larger(Lanes x, Lanes y, Lanes a, Lanes b) {
  return vbslq_f32(vcgtq_f32(x, y), a, b);
}
inline void store(float* p, Lanes a) { vst1q_f32(p, a); }
inline unsigned at_least(Lanes a, Lanes b) {
  constexpr std::uint32_t bits[] = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(vcgeq_f32(a, b), vld1q_u32(bits)));
}
constexpr int most_lanes = 4;
#else
using Lanes __attribute__((vector_size(16))) = float;
constexpr int width = 4, most_points = 2;
inline Lanes load(const float* p) {
  Lanes a;
  __builtin_memcpy(&a, p, sizeof a);
  return a;
}
inline Lanes splat(float x) { return Lanes{x, x, x, x}; }
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return c + a * b; }
inline Lanes add(Lanes a, Lanes b) { return a + b; }
inline Lanes smaller(Lanes a, Lanes b) { return b < a ? b : a; }
inline Lanes larger(Lanes a, Lanes b) { return b > a ? b : a; }
inline Lanes where_larger(Lanes x, Lanes y, Lanes a, Lanes b) { return x > y ? a : b; }
inline void store(float* p, Lanes a) { __builtin_memcpy(p, &a, sizeof a); }
inline unsigned at_least(Lanes a, Lanes b) {
  unsigned mask = 0;
  for (int i = 0; i < 4; ++i) mask |= static_cast<unsigned>(a[i] >= b[i]) << i;
  return mask;
}
constexpr int most_lanes = 4;
#endif

// Where the vector of queries that begins with this one lies among packed ones (n / 16, d, 16), at
// the first dimension; the next is 16 floats on.
inline const float* packed(const float* queries, std::size_t query, std::size_t d) {
  return queries + query / 16 * 16 * d + query % 16;
}

// The bias of each of `Points` points (d apart) and its products with `Groups` vectors of queries.
// They are added up in registers, whatever becomes of `sums` later.
template <int Points, int Groups>
inline void add_products(const float* const* queries, const float* points, const float* bias,
                         std::size_t d, Lanes (&sums)[Points][Groups]) {
  Lanes own[Points][Groups];
#pragma GCC unroll 6
  for (int p = 0; p < Points; ++p)
#pragma GCC unroll 4
    for (int g = 0; g < Groups; ++g) own[p][g] = splat(bias[p]);
  for (std::size_t k = 0; k < d; ++k) {
    Lanes y[Groups];
#pragma GCC unroll 4
    for (int g = 0; g < Groups; ++g) y[g] = load(queries[g] + 16 * k);
#pragma GCC unroll 6
    for (int p = 0; p < Points; ++p) {
      const Lanes x = splat(points[static_cast<std::size_t>(p) * d + k]);
#pragma GCC unroll 4
      for (int g = 0; g < Groups; ++g) own[p][g] = multiply_add(x, y[g], own[p][g]);
    }
  }
#pragma GCC unroll 6
  for (int p = 0; p < Points; ++p)
#pragma GCC unroll 4
    for (int g = 0; g < Groups; ++g) sums[p][g] = own[p][g];
}

}  // namespace
}  // namespace kf::KF_LEVEL
