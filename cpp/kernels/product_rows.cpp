// Sums of table entries for codes that lie row by row: short lists, where blocks of 64 would be
// mostly empty. tables: one pointer to 2^bits float32 entries for each subquantizer. Bound: m
// gathered floats a code.

#include "kernels/product.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {

void product_rows(const ProductRows& set, const float* const* tables, float* sums) {
#if KF_HAS_AVX512
  // Tables of 256 entries one after the other: 16 look-ups at once.
  bool side_by_side = set.bits == 8 && set.m >= 16;
  for (std::size_t j = 1; j < set.m && side_by_side; ++j)
    side_by_side = tables[j] == tables[j - 1] + 256;
  const __m512i offsets =
      _mm512_slli_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), 8);
#endif
  for (std::size_t i = 0; i < set.n; ++i) {
    const std::uint8_t* code = set.codes + i * set.width;
    float a = 0, b = 0, c = 0, d = 0;
    std::size_t j = 0;
#if KF_HAS_AVX512
    if (side_by_side) {
      __m512 total = _mm512_setzero_ps();
      for (; j + 16 <= set.m; j += 16) {
        const __m512i at = _mm512_add_epi32(
            _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(code + j))),
            offsets);
        total = _mm512_add_ps(total, _mm512_i32gather_ps(at, tables[j], 4));
      }
      a = _mm512_reduce_add_ps(total);
    }
#endif
    if (set.bits == 8) {
      for (; j + 4 <= set.m; j += 4) {
        a += tables[j][code[j]];
        b += tables[j + 1][code[j + 1]];
        c += tables[j + 2][code[j + 2]];
        d += tables[j + 3][code[j + 3]];
      }
      for (; j < set.m; ++j) a += tables[j][code[j]];
    } else {
      for (; j + 2 <= set.m; j += 2) {
        a += tables[j][code[j / 2] & 15];
        b += tables[j + 1][code[j / 2] >> 4];
      }
      if (j < set.m) a += tables[j][code[j / 2] & 15];
    }
    sums[i] = (a + b) + (c + d);
  }
}

}  // namespace kf::KF_LEVEL
