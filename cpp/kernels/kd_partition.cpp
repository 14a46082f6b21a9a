// The inner loop of building a k-d tree: a stable partition of 64-bit keys without branches. 16
// bytes are moved for a key, and those that go behind a second time.

#include "kernels/tree.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace kf::KF_LEVEL {

std::size_t kd_partition(std::uint64_t* keys, std::size_t n, std::uint64_t pivot,
                         std::uint64_t* spare) {
  std::size_t below = 0, rest = 0, i = 0;
#if defined(__AVX512F__)
  // Whole registers are stored: what is too much at the front was read before, or is overwritten
  // next.
  const __m512i bound = _mm512_set1_epi64(static_cast<long long>(pivot));
  for (; i + 8 <= n; i += 8) {
    const __m512i some = _mm512_loadu_si512(keys + i);
    const __mmask8 first = _mm512_cmplt_epu64_mask(some, bound);
    _mm512_storeu_si512(keys + below, _mm512_maskz_compress_epi64(first, some));
    _mm512_storeu_si512(spare + rest,
                        _mm512_maskz_compress_epi64(static_cast<__mmask8>(~first), some));
    const auto count = static_cast<std::size_t>(__builtin_popcount(first));
    below += count;
    rest += 8 - count;
  }
#endif
  for (; i < n; ++i) {
    const std::uint64_t key = keys[i];
    keys[below] = key;
    spare[rest] = key;
    const std::size_t is_below = key < pivot;
    below += is_below;
    rest += 1 - is_below;
  }
  for (std::size_t j = 0; j < rest; ++j) keys[below + j] = spare[j];
  return below;
}

}  // namespace kf::KF_LEVEL
