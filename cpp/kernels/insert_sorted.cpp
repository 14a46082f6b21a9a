// Puts a key into an ascending list of fixed length, from which the largest falls out; `n` a
// multiple of 8. Nothing happens, and the answer is no, where the key is larger than all, or where
// one is there that differs in no bit but the `ignored` low ones. With a the list, which has p
// smaller keys, the new one is a[i - 1] behind p: a load and a store of 8 bytes an entry.

#include "kernels/pairs.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {

bool insert_sorted(std::uint64_t* keys, std::size_t n, std::uint64_t key, std::uint64_t ignored) {
  const std::uint64_t low = key & ~ignored;
#if KF_HAS_AVX512
  const __m512i least = _mm512_set1_epi64(static_cast<long long>(low));
  std::size_t at = 0;
  for (std::size_t i = 0; i < n; i += 8)
    at += static_cast<std::size_t>(
        __builtin_popcount(_mm512_cmplt_epu64_mask(_mm512_loadu_si512(keys + i), least)));
#else
  std::size_t at = 0;
  for (std::size_t size = n; size > 0;) {
    const std::size_t half = size / 2;
    if (keys[at + half] < low)
      at += half + 1, size -= half + 1;
    else
      size = half;
  }
#endif
  if (at == n || (keys[at] & ~ignored) == low) return false;
#if KF_HAS_AVX512
  std::size_t i = n - 8;
  for (; i > at; i -= 8) _mm512_storeu_si512(keys + i, _mm512_loadu_si512(keys + i - 1));
  // The chunk of the new key: lanes behind it move up.
  const __mmask8 behind = static_cast<__mmask8>(0xfeu << (at - i));
  const __m512i moved = _mm512_mask_loadu_epi64(_mm512_loadu_si512(keys + i), behind, keys + i - 1);
  _mm512_storeu_si512(keys + i, moved);
#else
  for (std::size_t i = n - 1; i > at; --i) keys[i] = keys[i - 1];
#endif
  keys[at] = key;
  return true;
}

}  // namespace kf::KF_LEVEL
