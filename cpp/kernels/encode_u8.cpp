// Rounds (x - centre) / scale to int8 and measures what was lost: the way into the 8-bit filter.
// Returns error, the squared norm of x - centre - scale * code; length, that of x - centre; norm,
// that of the code; and the sum of the codes. Float32 sums in Vec32's lanes: the caller rounds the
// bounds up.

#include "kernels/filters.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

struct Totals {
  Vec32 error = Vec32::zero(), length = Vec32::zero(), norm = Vec32::zero(), sum = Vec32::zero();
};

#if defined(__AVX512F__)
inline __m512 encode_lanes(__m512 v, __m512 inverse, std::int8_t* out, __mmask16 mask) {
  __m512 c = _mm512_roundscale_ps(_mm512_mul_ps(v, inverse),
                                  _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  c = _mm512_min_ps(_mm512_max_ps(c, _mm512_set1_ps(-128.0f)), _mm512_set1_ps(127.0f));
  _mm512_mask_cvtsepi32_storeu_epi8(out, mask, _mm512_cvtps_epi32(c));
  return c;
}
inline Vec32 encode(Vec32 v, float inverse, std::int8_t* out, std::size_t n) {
  const __m512 by = _mm512_set1_ps(inverse);
  const std::uint32_t mask = n >= 32 ? ~0u : (1u << n) - 1u;
  return {encode_lanes(v.a, by, out, static_cast<__mmask16>(mask)),
          encode_lanes(v.b, by, out + 16, static_cast<__mmask16>(mask >> 16))};
}
inline Vec32 splat(float x) { return {_mm512_set1_ps(x), _mm512_set1_ps(x)}; }
#elif defined(__AVX2__)
inline Vec32 encode(const Vec32& v, float inverse, std::int8_t* out, std::size_t n) {
  Vec32 c;
  __m256i whole[4];
  for (int i = 0; i < 4; ++i) {
    const __m256 r = _mm256_round_ps(_mm256_mul_ps(v.v[i], _mm256_set1_ps(inverse)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    c.v[i] = _mm256_min_ps(_mm256_max_ps(r, _mm256_set1_ps(-128.0f)), _mm256_set1_ps(127.0f));
    whole[i] = _mm256_cvtps_epi32(c.v[i]);
  }
  const __m256i words = _mm256_packs_epi16(_mm256_packs_epi32(whole[0], whole[1]),
                                           _mm256_packs_epi32(whole[2], whole[3]));
  const __m256i bytes =
      _mm256_permutevar8x32_epi32(words, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  if (n >= 32) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), bytes);
  } else {
    alignas(32) std::int8_t all[32];
    _mm256_store_si256(reinterpret_cast<__m256i*>(all), bytes);
    for (std::size_t i = 0; i < n; ++i) out[i] = all[i];
  }
  return c;
}
inline Vec32 splat(float x) {
  const __m256 v = _mm256_set1_ps(x);
  return {{v, v, v, v}};
}
#elif KF_HAS_NEON
inline Vec32 encode(const Vec32& v, float inverse, std::int8_t* out, std::size_t n) {
  Vec32 c;
  int16x4_t whole[8];
  for (int i = 0; i < 8; ++i) {
    // The number of the two where the other is NaN.
    const float32x4_t r = vrndnq_f32(vmulq_n_f32(v.v[i], inverse));
    c.v[i] = vminnmq_f32(vmaxnmq_f32(r, vdupq_n_f32(-128.0f)), vdupq_n_f32(127.0f));
    whole[i] = vmovn_s32(vcvtq_s32_f32(c.v[i]));
  }
  std::int8_t all[32];
  for (int i = 0; i < 4; ++i)
    vst1_s8(all + 8 * i, vmovn_s16(vcombine_s16(whole[2 * i], whole[2 * i + 1])));
  for (std::size_t i = 0; i < n; ++i) out[i] = all[i];
  return c;
}
inline Vec32 splat(float x) {
  Vec32 r;
  for (auto& part : r.v) part = vdupq_n_f32(x);
  return r;
}
#else
inline Vec32 encode(const Vec32& v, float inverse, std::int8_t* out, std::size_t n) {
  constexpr float round =
      12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number, halves to even
  Vec32 c;
  for (std::size_t i = 0; i < 32; ++i) {
    float r = v.v[i] * inverse;
    r = !(r >= -128.0f) ? -128.0f : r > 127.0f ? 127.0f : r;  // NaN too
    volatile float shifted = r + round;
    c.v[i] = shifted - round;
    if (i < n) out[i] = static_cast<std::int8_t>(c.v[i]);
  }
  return c;
}
inline Vec32 splat(float x) {
  Vec32 r;
  for (float& lane : r.v) lane = x;
  return r;
}
#endif

inline void add(Totals& t, const Vec32& x, const Vec32& centre, float scale, float inverse,
                std::int8_t* out, std::size_t n) {
  const Vec32 v = x - centre;
  const Vec32 c = encode(v, inverse, out, n);
  const Vec32 e = fma(c, splat(-scale), v);
  t.error = fma(e, e, t.error);
  t.length = fma(v, v, t.length);
  t.norm = fma(c, c, t.norm);
  t.sum = fma(c, splat(1.0f), t.sum);
}

}  // namespace

void encode_u8(const float* x, const float* centre, float scale, std::size_t d, std::int8_t* codes,
               float* totals) {
  Totals t;
  const float inverse = 1.0f / scale;
  std::size_t i = 0;
  for (; i + 32 <= d; i += 32)
    add(t, Vec32::load(x + i), Vec32::load(centre + i), scale, inverse, codes + i, 32);
  if (i < d)
    add(t, Vec32::load(x + i, d - i), Vec32::load(centre + i, d - i), scale, inverse, codes + i,
        d - i);
  totals[0] = reduce(t.error);
  totals[1] = reduce(t.length);
  totals[2] = reduce(t.norm);
  totals[3] = reduce(t.sum);
}

}  // namespace kf::KF_LEVEL
