// The Walsh-Hadamard transform of a vector of 2^b numbers, in place, not scaled: b passes of sums
// and differences. Each number is the sum of the same terms in the same order on every level.

#include "kernels/vectors.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {

void hadamard(float* x, std::size_t n) {
  for (std::size_t half = 1; half < n; half *= 2)
    for (std::size_t begin = 0; begin < n; begin += 2 * half) {
      float* a = x + begin;
      float* b = a + half;
      for (std::size_t i = 0; i < half; ++i) {
        const float left = a[i], right = b[i];
        a[i] = left + right;
        b[i] = left - right;
      }
    }
}

}  // namespace kf::KF_LEVEL
