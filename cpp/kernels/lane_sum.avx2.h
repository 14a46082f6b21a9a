#pragma once
// The sum of all lanes of a register.

#include <cstdint>

#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

inline std::int32_t lane_sum(__m256i x) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
  return _mm_cvtsi128_si32(half);
}

}  // namespace
}  // namespace kf::KF_LEVEL
