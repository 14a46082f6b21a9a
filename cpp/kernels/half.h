#pragma once
// Half precision (IEEE 754 binary16), rounded to nearest, ties to even: the same bits at every
// level.

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#elif KF_HAS_NEON
#include <arm_neon.h>
#endif

namespace kf::KF_LEVEL {
namespace {

inline float half_to_float(std::uint16_t half) {
#if defined(__AVX2__)
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
#elif KF_HAS_NEON
  return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(half))), 0);
#else
  const std::uint32_t sign = (half & 0x8000u) << 16, h = half & 0x7fffu;
  std::uint32_t bits = (h + 0x1c000u) << 13;
  if (h >= 0x7c00u) bits = 0x7f800000u | h << 13;
  float value;
  __builtin_memcpy(&value, &bits, 4);
  if (h < 0x400u) value = static_cast<float>(h) * 0x1p-24f;
  return sign ? -value : value;
#endif
}

#if !defined(__AVX2__)
inline std::uint16_t float_to_half(float value) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  bits &= 0x7fffffffu;
  std::uint32_t half;
  if (bits > 0x7f800000u) {
    half = 0x7e00u;
  } else if (bits >= 0x477ff000u) {  // 65520 and more round to infinity
    half = 0x7c00u;
  } else if (bits < 0x38800000u) {  // whole multiples of 2^-24: the sum's last bits are the rounded
    float sum;
    __builtin_memcpy(&sum, &bits, 4);
    sum += 0.5f;
    __builtin_memcpy(&half, &sum, 4);
    half -= 0x3f000000u;
  } else {
    half = (bits - 0x38000000u + 0xfffu + (bits >> 13 & 1u)) >> 13;
  }
  return static_cast<std::uint16_t>(half | sign);
}
#endif

// n is a multiple of sixteen.
inline void widen(const std::uint16_t* halves, float* out, std::size_t n) {
#if defined(__AVX512F__)
  for (std::size_t i = 0; i < n; i += 16)
    _mm512_storeu_ps(
        out + i, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves + i))));
#elif defined(__AVX2__)
  for (std::size_t i = 0; i < n; i += 8)
    _mm256_storeu_ps(
        out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves + i))));
#else
  for (std::size_t i = 0; i < n; ++i) out[i] = half_to_float(halves[i]);
#endif
}

inline void narrow(const float* values, std::uint16_t* out, std::size_t n) {
#if defined(__AVX512F__)
  for (std::size_t i = 0; i < n; i += 16)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                        _mm512_cvtps_ph(_mm512_loadu_ps(values + i),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(__AVX2__)
  for (std::size_t i = 0; i < n; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(values + i), _MM_FROUND_TO_NEAREST_INT));
#else
  for (std::size_t i = 0; i < n; ++i) out[i] = float_to_half(values[i]);
#endif
}

}  // namespace
}  // namespace kf::KF_LEVEL
