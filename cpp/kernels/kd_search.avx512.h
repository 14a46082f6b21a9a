#pragma once
// Up to sixteen answers in registers, ascending towards the last lane: a newcomer shifts what is
// worse by one lane, without branches. Lanes before the first answer hold -inf and never move.

#include "kernels/kd_norm.h"

namespace kf::KF_LEVEL {
namespace {

template <class T>
struct InLanes;

template <>
struct InLanes<float> {
  __m512 distances;
  __m512i ids;
  std::size_t k;
  float last;
  InLanes(float bound, std::size_t size, float*, std::int64_t*) : k(size), last(bound) {
    const auto used = static_cast<__mmask16>(0xffffu << (lane_count - k));
    distances = _mm512_mask_mov_ps(_mm512_set1_ps(-__builtin_inff()), used, _mm512_set1_ps(bound));
    ids = _mm512_set1_epi32(-1);
  }
  float worst() const { return last; }
  void offer(float x, std::int64_t candidate) {
    const __m512 value = _mm512_set1_ps(x);
    const __m512i id = _mm512_set1_epi32(static_cast<int>(candidate));
    const __mmask16 same = _mm512_cmp_ps_mask(distances, value, _CMP_EQ_OQ);
    // The lanes before the newcomer's.
    const auto stay = static_cast<__mmask16>(_mm512_cmp_ps_mask(distances, value, _CMP_LT_OQ) |
                                             _mm512_mask_cmplt_epi32_mask(same, ids, id));
    if (stay == 0xffff) return;
    const auto here = static_cast<__mmask16>(stay + 1);
    const __m512i bits = _mm512_castps_si512(distances);
    const __m512 moved = _mm512_castsi512_ps(_mm512_alignr_epi32(bits, bits, 15));
    distances = _mm512_mask_mov_ps(_mm512_mask_mov_ps(moved, stay, distances), here, value);
    ids = _mm512_mask_mov_epi32(_mm512_mask_mov_epi32(_mm512_alignr_epi32(ids, ids, 15), stay, ids),
                                here, id);
    const __m128 high = _mm512_extractf32x4_ps(distances, 3);
    last = _mm_cvtss_f32(_mm_shuffle_ps(high, high, 0xff));
  }
  void write(float* out, std::int64_t* out_ids) const {
    alignas(64) float d[lane_count];
    alignas(64) std::int32_t i[lane_count];
    _mm512_store_ps(d, distances);
    _mm512_store_si512(i, ids);
    for (std::size_t at = 0; at < k; ++at) {
      out[at] = d[lane_count - k + at];
      out_ids[at] = i[lane_count - k + at];
    }
  }
};

template <>
struct InLanes<double> {
  __m512d low, high;
  __m512i ids;
  std::size_t k;
  double last;
  InLanes(double bound, std::size_t size, double*, std::int64_t*) : k(size), last(bound) {
    const std::uint32_t used = 0xffffu << (lane_count - k);
    const __m512d none = _mm512_set1_pd(-__builtin_inf()), all = _mm512_set1_pd(bound);
    low = _mm512_mask_mov_pd(none, static_cast<__mmask8>(used), all);
    high = _mm512_mask_mov_pd(none, static_cast<__mmask8>(used >> 8), all);
    ids = _mm512_set1_epi32(-1);
  }
  double worst() const { return last; }
  void offer(double x, std::int64_t candidate) {
    const __m512d value = _mm512_set1_pd(x);
    const __m512i id = _mm512_set1_epi32(static_cast<int>(candidate));
    const auto both = [](std::uint32_t first, std::uint32_t second) {
      return static_cast<__mmask16>(first | second << 8);
    };
    const __mmask16 same = both(_mm512_cmp_pd_mask(low, value, _CMP_EQ_OQ),
                                _mm512_cmp_pd_mask(high, value, _CMP_EQ_OQ));
    const auto stay = static_cast<__mmask16>(both(_mm512_cmp_pd_mask(low, value, _CMP_LT_OQ),
                                                  _mm512_cmp_pd_mask(high, value, _CMP_LT_OQ)) |
                                             _mm512_mask_cmplt_epi32_mask(same, ids, id));
    if (stay == 0xffff) return;
    const auto here = static_cast<__mmask16>(stay + 1);
    const __m512i l = _mm512_castpd_si512(low), h = _mm512_castpd_si512(high);
    const __m512d moved_high = _mm512_castsi512_pd(_mm512_alignr_epi64(h, l, 7));
    const __m512d moved_low = _mm512_castsi512_pd(_mm512_alignr_epi64(l, l, 7));
    high =
        _mm512_mask_mov_pd(_mm512_mask_mov_pd(moved_high, static_cast<__mmask8>(stay >> 8), high),
                           static_cast<__mmask8>(here >> 8), value);
    low = _mm512_mask_mov_pd(_mm512_mask_mov_pd(moved_low, static_cast<__mmask8>(stay), low),
                             static_cast<__mmask8>(here), value);
    ids = _mm512_mask_mov_epi32(_mm512_mask_mov_epi32(_mm512_alignr_epi32(ids, ids, 15), stay, ids),
                                here, id);
    const __m128d end = _mm512_extractf64x2_pd(high, 3);
    last = _mm_cvtsd_f64(_mm_unpackhi_pd(end, end));
  }
  void write(double* out, std::int64_t* out_ids) const {
    alignas(64) double d[lane_count];
    alignas(64) std::int32_t i[lane_count];
    _mm512_store_pd(d, low);
    _mm512_store_pd(d + 8, high);
    _mm512_store_si512(i, ids);
    for (std::size_t at = 0; at < k; ++at) {
      out[at] = d[lane_count - k + at];
      out_ids[at] = i[lane_count - k + at];
    }
  }
};

}  // namespace
}  // namespace kf::KF_LEVEL
