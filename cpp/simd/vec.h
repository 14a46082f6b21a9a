#pragma once
// 32 fixed float lanes: two zmm, four ymm, or an array. The same lanes, the same fused multiply-add
// and the same reduction tree at every level, so AVX2 and all above give the same bits; the
// baseline has no fused multiply-add and rounds twice.

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#elif KF_HAS_NEON
#include <arm_neon.h>
#endif

namespace kf::KF_LEVEL {
namespace {

// a b + sum: rounded once where the level has an instruction for it, as all but the baseline do.
inline float fused(float a, float b, float sum) {
#if KF_HAS_AVX2 || KF_HAS_NEON
  return __builtin_fmaf(a, b, sum);
#else
  return sum + a * b;
#endif
}

#if defined(__AVX512F__)

struct Vec32 {
  __m512 a, b;
  static Vec32 zero() { return {_mm512_setzero_ps(), _mm512_setzero_ps()}; }
  static Vec32 load(const float* p) { return {_mm512_loadu_ps(p), _mm512_loadu_ps(p + 16)}; }
  // The first n < 32 lanes, zeros beyond; reads nothing past them.
  static Vec32 load(const float* p, std::size_t n) {
    const std::uint32_t mask = (1u << n) - 1u;
    return {_mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), p),
            _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), p + 16)};
  }
};
inline Vec32 operator-(Vec32 x, Vec32 y) {
  return {_mm512_sub_ps(x.a, y.a), _mm512_sub_ps(x.b, y.b)};
}
inline Vec32 fma(Vec32 x, Vec32 y, Vec32 sum) {
  return {_mm512_fmadd_ps(x.a, y.a, sum.a), _mm512_fmadd_ps(x.b, y.b, sum.b)};
}
inline float reduce8(__m256 v) {
  const __m128 q = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 h = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
}
inline float reduce(Vec32 v) {
  const __m512 s = _mm512_add_ps(v.a, v.b);
  return reduce8(_mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1)));
}

// The lower half alone, for at most 16 dimensions: the same bits, since the upper lanes would be
// zeros.
struct Vec16 {
  __m512 a;
  static Vec16 load(const float* p, std::size_t n) {
    return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1u), p)};
  }
};
inline Vec16 operator-(Vec16 x, Vec16 y) { return {_mm512_sub_ps(x.a, y.a)}; }
inline Vec16 multiply(Vec16 x, Vec16 y) { return {_mm512_mul_ps(x.a, y.a)}; }
inline float reduce(Vec16 v) {
  return reduce8(_mm256_add_ps(_mm512_castps512_ps256(v.a), _mm512_extractf32x8_ps(v.a, 1)));
}

#elif defined(__AVX2__)

struct Vec32 {
  __m256 v[4];
  static Vec32 zero() {
    const __m256 z = _mm256_setzero_ps();
    return {{z, z, z, z}};
  }
  static Vec32 load(const float* p) {
    return {{_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8), _mm256_loadu_ps(p + 16),
             _mm256_loadu_ps(p + 24)}};
  }
  static Vec32 load(const float* p, std::size_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    Vec32 r;
    for (int i = 0; i < 4; ++i) {
      const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n) - 8 * i), lane);
      r.v[i] = _mm256_maskload_ps(p + 8 * i, mask);
    }
    return r;
  }
};
inline Vec32 operator-(const Vec32& x, const Vec32& y) {
  Vec32 r;
  for (int i = 0; i < 4; ++i) r.v[i] = _mm256_sub_ps(x.v[i], y.v[i]);
  return r;
}
inline Vec32 fma(const Vec32& x, const Vec32& y, const Vec32& sum) {
  Vec32 r;
  for (int i = 0; i < 4; ++i) r.v[i] = _mm256_fmadd_ps(x.v[i], y.v[i], sum.v[i]);
  return r;
}
inline float reduce8(__m256 v) {
  const __m128 q = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 h = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
}
inline float reduce(const Vec32& x) {
  return reduce8(_mm256_add_ps(_mm256_add_ps(x.v[0], x.v[2]), _mm256_add_ps(x.v[1], x.v[3])));
}

struct Vec16 {
  __m256 v[2];
  static Vec16 load(const float* p, std::size_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const int count = static_cast<int>(n);
    return {{_mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane)),
             _mm256_maskload_ps(p + 8, _mm256_cmpgt_epi32(_mm256_set1_epi32(count - 8), lane))}};
  }
};
inline Vec16 operator-(const Vec16& x, const Vec16& y) {
  return {{_mm256_sub_ps(x.v[0], y.v[0]), _mm256_sub_ps(x.v[1], y.v[1])}};
}
inline Vec16 multiply(const Vec16& x, const Vec16& y) {
  return {{_mm256_mul_ps(x.v[0], y.v[0]), _mm256_mul_ps(x.v[1], y.v[1])}};
}
inline float reduce(const Vec16& x) { return reduce8(_mm256_add_ps(x.v[0], x.v[1])); }

#elif KF_HAS_NEON

struct Vec32 {
  float32x4_t v[8];
  static Vec32 zero() {
    Vec32 r;
    for (auto& part : r.v) part = vdupq_n_f32(0);
    return r;
  }
  static Vec32 load(const float* p) {
    Vec32 r;
    for (int i = 0; i < 8; ++i) r.v[i] = vld1q_f32(p + 4 * i);
    return r;
  }
  static Vec32 load(const float* p, std::size_t n) {
    float lanes[32] = {};
    for (std::size_t i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
};
inline Vec32 operator-(const Vec32& x, const Vec32& y) {
  Vec32 r;
  for (int i = 0; i < 8; ++i) r.v[i] = vsubq_f32(x.v[i], y.v[i]);
  return r;
}
inline Vec32 fma(const Vec32& x, const Vec32& y, const Vec32& sum) {
  Vec32 r;
  for (int i = 0; i < 8; ++i) r.v[i] = vfmaq_f32(sum.v[i], x.v[i], y.v[i]);
  return r;
}
inline float reduce4(float32x4_t v) {
  const float32x2_t h = vadd_f32(vget_low_f32(v), vget_high_f32(v));
  return vget_lane_f32(h, 0) + vget_lane_f32(h, 1);
}
inline float reduce(const Vec32& x) {
  float32x4_t s[4];
  for (int i = 0; i < 4; ++i) s[i] = vaddq_f32(x.v[i], x.v[i + 4]);
  return reduce4(vaddq_f32(vaddq_f32(s[0], s[2]), vaddq_f32(s[1], s[3])));
}

struct Vec16 {
  float32x4_t v[4];
  static Vec16 load(const float* p, std::size_t n) {
    float lanes[16] = {};
    for (std::size_t i = 0; i < n; ++i) lanes[i] = p[i];
    Vec16 r;
    for (int i = 0; i < 4; ++i) r.v[i] = vld1q_f32(lanes + 4 * i);
    return r;
  }
};
inline Vec16 operator-(const Vec16& x, const Vec16& y) {
  Vec16 r;
  for (int i = 0; i < 4; ++i) r.v[i] = vsubq_f32(x.v[i], y.v[i]);
  return r;
}
inline Vec16 multiply(const Vec16& x, const Vec16& y) {
  Vec16 r;
  for (int i = 0; i < 4; ++i) r.v[i] = vmulq_f32(x.v[i], y.v[i]);
  return r;
}
inline float reduce(const Vec16& x) {
  return reduce4(vaddq_f32(vaddq_f32(x.v[0], x.v[2]), vaddq_f32(x.v[1], x.v[3])));
}

#else

struct Vec32 {
  float v[32];
  static Vec32 zero() { return {}; }
  static Vec32 load(const float* p) {
    Vec32 r;
    for (int i = 0; i < 32; ++i) r.v[i] = p[i];
    return r;
  }
  static Vec32 load(const float* p, std::size_t n) {
    Vec32 r{};
    for (std::size_t i = 0; i < n; ++i) r.v[i] = p[i];
    return r;
  }
};
inline Vec32 operator-(const Vec32& x, const Vec32& y) {
  Vec32 r;
  for (int i = 0; i < 32; ++i) r.v[i] = x.v[i] - y.v[i];
  return r;
}
inline Vec32 fma(const Vec32& x, const Vec32& y, const Vec32& sum) {
  Vec32 r;
  for (int i = 0; i < 32; ++i) r.v[i] = sum.v[i] + x.v[i] * y.v[i];
  return r;
}
inline float reduce(const Vec32& x) {
  float s[32];
  for (int i = 0; i < 32; ++i) s[i] = x.v[i];
  for (int half = 16; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) s[i] += s[i + half];
  return s[0];
}

struct Vec16 {
  float v[16];
  static Vec16 load(const float* p, std::size_t n) {
    Vec16 r{};
    for (std::size_t i = 0; i < n; ++i) r.v[i] = p[i];
    return r;
  }
};
inline Vec16 operator-(const Vec16& x, const Vec16& y) {
  Vec16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = x.v[i] - y.v[i];
  return r;
}
inline Vec16 multiply(const Vec16& x, const Vec16& y) {
  Vec16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = x.v[i] * y.v[i];
  return r;
}
inline float reduce(Vec16 x) {
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) x.v[i] += x.v[i + half];
  return x.v[0];
}

#endif

}  // namespace
}  // namespace kf::KF_LEVEL
