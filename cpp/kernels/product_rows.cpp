// Sums of table entries for codes that lie row by row: short lists, where blocks of 64 would be
// mostly empty. tables: one pointer to 2^bits float32 entries for each subquantizer. Bound: m
// gathered floats a code.

#include "kernels/table.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {

void product_rows(const ProductRows& set, const float* const* tables, float* sums) {
  for (std::size_t i = 0; i < set.n; ++i) {
    const std::uint8_t* code = set.codes + i * set.width;
    float a = 0, b = 0, c = 0, d = 0;
    std::size_t j = 0;
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
