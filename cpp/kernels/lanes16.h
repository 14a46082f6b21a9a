#pragma once
// Sixteen lanes of float or double: one bucket of a k-d tree, or the boxes of a node's children.
// Differences, products and sums are rounded one by one and never fused, so that every level, the
// baseline too, gives the same bits.

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace kf::KF_LEVEL {
namespace {

constexpr std::size_t lane_count = 16;

template <class T>
struct Lanes;

#if defined(__AVX512F__)

template <>
struct Lanes<float> {
  __m512 v;
  static Lanes load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Lanes set(float x) { return {_mm512_set1_ps(x)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
};
inline Lanes<float> operator-(Lanes<float> x, Lanes<float> y) { return {_mm512_sub_ps(x.v, y.v)}; }
inline Lanes<float> operator+(Lanes<float> x, Lanes<float> y) { return {_mm512_add_ps(x.v, y.v)}; }
inline Lanes<float> operator*(Lanes<float> x, Lanes<float> y) { return {_mm512_mul_ps(x.v, y.v)}; }
inline Lanes<float> larger(Lanes<float> x, Lanes<float> y) { return {_mm512_max_ps(x.v, y.v)}; }
inline Lanes<float> smaller(Lanes<float> x, Lanes<float> y) { return {_mm512_min_ps(x.v, y.v)}; }
inline float least(Lanes<float> x) { return _mm512_reduce_min_ps(x.v); }
inline Lanes<float> absolute(Lanes<float> x) { return {_mm512_abs_ps(x.v)}; }
inline std::uint32_t at_most(Lanes<float> x, Lanes<float> y) {
  return _mm512_cmp_ps_mask(x.v, y.v, _CMP_LE_OQ);
}

template <>
struct Lanes<double> {
  __m512d a, b;
  static Lanes load(const double* p) { return {_mm512_loadu_pd(p), _mm512_loadu_pd(p + 8)}; }
  static Lanes set(double x) { return {_mm512_set1_pd(x), _mm512_set1_pd(x)}; }
  void store(double* p) const {
    _mm512_storeu_pd(p, a);
    _mm512_storeu_pd(p + 8, b);
  }
};
inline Lanes<double> operator-(Lanes<double> x, Lanes<double> y) {
  return {_mm512_sub_pd(x.a, y.a), _mm512_sub_pd(x.b, y.b)};
}
inline Lanes<double> operator+(Lanes<double> x, Lanes<double> y) {
  return {_mm512_add_pd(x.a, y.a), _mm512_add_pd(x.b, y.b)};
}
inline Lanes<double> operator*(Lanes<double> x, Lanes<double> y) {
  return {_mm512_mul_pd(x.a, y.a), _mm512_mul_pd(x.b, y.b)};
}
inline Lanes<double> larger(Lanes<double> x, Lanes<double> y) {
  return {_mm512_max_pd(x.a, y.a), _mm512_max_pd(x.b, y.b)};
}
inline Lanes<double> smaller(Lanes<double> x, Lanes<double> y) {
  return {_mm512_min_pd(x.a, y.a), _mm512_min_pd(x.b, y.b)};
}
inline double least(Lanes<double> x) { return _mm512_reduce_min_pd(_mm512_min_pd(x.a, x.b)); }
inline Lanes<double> absolute(Lanes<double> x) { return {_mm512_abs_pd(x.a), _mm512_abs_pd(x.b)}; }
inline std::uint32_t at_most(Lanes<double> x, Lanes<double> y) {
  const std::uint32_t high = _mm512_cmp_pd_mask(x.b, y.b, _CMP_LE_OQ);
  return _mm512_cmp_pd_mask(x.a, y.a, _CMP_LE_OQ) | high << 8;
}

#elif defined(__AVX2__)

// Four registers for double, two for float.
template <>
struct Lanes<float> {
  __m256 v[2];
  static Lanes load(const float* p) { return {{_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}}; }
  static Lanes set(float x) { return {{_mm256_set1_ps(x), _mm256_set1_ps(x)}}; }
  void store(float* p) const {
    _mm256_storeu_ps(p, v[0]);
    _mm256_storeu_ps(p + 8, v[1]);
  }
};
inline Lanes<float> operator-(const Lanes<float>& x, const Lanes<float>& y) {
  return {{_mm256_sub_ps(x.v[0], y.v[0]), _mm256_sub_ps(x.v[1], y.v[1])}};
}
inline Lanes<float> operator+(const Lanes<float>& x, const Lanes<float>& y) {
  return {{_mm256_add_ps(x.v[0], y.v[0]), _mm256_add_ps(x.v[1], y.v[1])}};
}
inline Lanes<float> operator*(const Lanes<float>& x, const Lanes<float>& y) {
  return {{_mm256_mul_ps(x.v[0], y.v[0]), _mm256_mul_ps(x.v[1], y.v[1])}};
}
inline Lanes<float> larger(const Lanes<float>& x, const Lanes<float>& y) {
  return {{_mm256_max_ps(x.v[0], y.v[0]), _mm256_max_ps(x.v[1], y.v[1])}};
}
inline Lanes<float> smaller(const Lanes<float>& x, const Lanes<float>& y) {
  return {{_mm256_min_ps(x.v[0], y.v[0]), _mm256_min_ps(x.v[1], y.v[1])}};
}
inline float least(const Lanes<float>& x) {
  const __m256 eight = _mm256_min_ps(x.v[0], x.v[1]);
  const __m128 four = _mm_min_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_min_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_min_ss(two, _mm_movehdup_ps(two)));
}
inline Lanes<float> absolute(const Lanes<float>& x) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {{_mm256_andnot_ps(sign, x.v[0]), _mm256_andnot_ps(sign, x.v[1])}};
}
inline std::uint32_t at_most(const Lanes<float>& x, const Lanes<float>& y) {
  const int low = _mm256_movemask_ps(_mm256_cmp_ps(x.v[0], y.v[0], _CMP_LE_OQ));
  const int high = _mm256_movemask_ps(_mm256_cmp_ps(x.v[1], y.v[1], _CMP_LE_OQ));
  return static_cast<std::uint32_t>(low | high << 8);
}

template <>
struct Lanes<double> {
  __m256d v[4];
  static Lanes load(const double* p) {
    return {{_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4), _mm256_loadu_pd(p + 8),
             _mm256_loadu_pd(p + 12)}};
  }
  static Lanes set(double x) {
    const __m256d all = _mm256_set1_pd(x);
    return {{all, all, all, all}};
  }
  void store(double* p) const {
    for (int i = 0; i < 4; ++i) _mm256_storeu_pd(p + 4 * i, v[i]);
  }
};
inline Lanes<double> operator-(const Lanes<double>& x, const Lanes<double>& y) {
  Lanes<double> r;
  for (int i = 0; i < 4; ++i) r.v[i] = _mm256_sub_pd(x.v[i], y.v[i]);
  return r;
}
inline Lanes<double> operator+(const Lanes<double>& x, const Lanes<double>& y) {
  Lanes<double> r;
  for (int i = 0; i < 4; ++i) r.v[i] = _mm256_add_pd(x.v[i], y.v[i]);
  return r;
}
inline Lanes<double> operator*(const Lanes<double>& x, const Lanes<double>& y) {
  Lanes<double> r;
  for (int i = 0; i < 4; ++i) r.v[i] = _mm256_mul_pd(x.v[i], y.v[i]);
  return r;
}
inline Lanes<double> larger(const Lanes<double>& x, const Lanes<double>& y) {
  Lanes<double> r;
  for (int i = 0; i < 4; ++i) r.v[i] = _mm256_max_pd(x.v[i], y.v[i]);
  return r;
}
inline Lanes<double> smaller(const Lanes<double>& x, const Lanes<double>& y) {
  Lanes<double> r;
  for (int i = 0; i < 4; ++i) r.v[i] = _mm256_min_pd(x.v[i], y.v[i]);
  return r;
}
inline double least(const Lanes<double>& x) {
  const __m256d four = _mm256_min_pd(_mm256_min_pd(x.v[0], x.v[1]), _mm256_min_pd(x.v[2], x.v[3]));
  const __m128d two = _mm_min_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_min_sd(two, _mm_unpackhi_pd(two, two)));
}
inline Lanes<double> absolute(const Lanes<double>& x) {
  const __m256d sign = _mm256_set1_pd(-0.0);
  Lanes<double> r;
  for (int i = 0; i < 4; ++i) r.v[i] = _mm256_andnot_pd(sign, x.v[i]);
  return r;
}
inline std::uint32_t at_most(const Lanes<double>& x, const Lanes<double>& y) {
  int mask = 0;
  for (int i = 0; i < 4; ++i)
    mask |= _mm256_movemask_pd(_mm256_cmp_pd(x.v[i], y.v[i], _CMP_LE_OQ)) << 4 * i;
  return static_cast<std::uint32_t>(mask);
}

#else

template <class T>
struct Lanes {
  T v[lane_count];
  static Lanes load(const T* p) {
    Lanes r;
    for (std::size_t i = 0; i < lane_count; ++i) r.v[i] = p[i];
    return r;
  }
  static Lanes set(T x) {
    Lanes r;
    for (std::size_t i = 0; i < lane_count; ++i) r.v[i] = x;
    return r;
  }
  void store(T* p) const {
    for (std::size_t i = 0; i < lane_count; ++i) p[i] = v[i];
  }
};
template <class T>
inline Lanes<T> operator-(const Lanes<T>& x, const Lanes<T>& y) {
  Lanes<T> r;
  for (std::size_t i = 0; i < lane_count; ++i) r.v[i] = x.v[i] - y.v[i];
  return r;
}
template <class T>
inline Lanes<T> operator+(const Lanes<T>& x, const Lanes<T>& y) {
  Lanes<T> r;
  for (std::size_t i = 0; i < lane_count; ++i) r.v[i] = x.v[i] + y.v[i];
  return r;
}
template <class T>
inline Lanes<T> operator*(const Lanes<T>& x, const Lanes<T>& y) {
  Lanes<T> r;
  for (std::size_t i = 0; i < lane_count; ++i) r.v[i] = x.v[i] * y.v[i];
  return r;
}
template <class T>
inline Lanes<T> larger(const Lanes<T>& x, const Lanes<T>& y) {
  Lanes<T> r;
  for (std::size_t i = 0; i < lane_count; ++i) r.v[i] = x.v[i] > y.v[i] ? x.v[i] : y.v[i];
  return r;
}
template <class T>
inline Lanes<T> smaller(const Lanes<T>& x, const Lanes<T>& y) {
  Lanes<T> r;
  for (std::size_t i = 0; i < lane_count; ++i) r.v[i] = x.v[i] < y.v[i] ? x.v[i] : y.v[i];
  return r;
}
template <class T>
inline T least(const Lanes<T>& x) {
  T s[lane_count];
  x.store(s);
  for (std::size_t half = lane_count / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) s[i] = s[i] < s[i + half] ? s[i] : s[i + half];
  return s[0];
}
template <class T>
inline Lanes<T> absolute(const Lanes<T>& x) {
  Lanes<T> r;
  for (std::size_t i = 0; i < lane_count; ++i) r.v[i] = x.v[i] < 0 ? -x.v[i] : x.v[i];
  return r;
}
template <class T>
inline std::uint32_t at_most(const Lanes<T>& x, const Lanes<T>& y) {
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < lane_count; ++i)
    mask |= static_cast<std::uint32_t>(x.v[i] <= y.v[i]) << i;
  return mask;
}

#endif

}  // namespace
}  // namespace kf::KF_LEVEL
