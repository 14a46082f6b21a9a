#pragma once
// Rows of a block of product codes side by side: 64 in a register with AVX-512, 32 with AVX2, 16 with
// NEON. Look-ups in tables of 16 entries, and 16-bit sums of them.

#include <cstddef>
#include <cstdint>

#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

#if KF_HAS_AVX512

using Bytes = __m512i;
constexpr std::uint32_t lanes = 64;

inline Bytes load(const std::uint8_t* at) { return _mm512_loadu_si512(at); }
inline Bytes table16(const std::uint8_t* at) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}
inline Bytes low_nibbles(Bytes x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
inline Bytes high_nibbles(Bytes x) { return low_nibbles(_mm512_srli_epi16(x, 4)); }
inline Bytes look_up(Bytes table, Bytes at) { return _mm512_shuffle_epi8(table, at); }
inline Bytes add(Bytes x, Bytes y) { return _mm512_add_epi8(x, y); }

// Even and odd rows are summed apart: `all` holds even + 256 * odd modulo 2^16, `odd` the odd ones.
struct Sums {
  __m512i all = _mm512_setzero_si512(), odd = _mm512_setzero_si512();

  void add(Bytes bytes) {
    all = _mm512_add_epi16(all, bytes);
    odd = _mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8));
  }
  // Terms of all rows of the block, or null; `out` takes the sums of the rows from `row` on.
  template <class Out>
  void report(const std::uint8_t* terms, std::uint32_t factor, std::uint32_t, std::uint32_t row,
              Out& out) const {
    __m512i even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8)), rest = odd;
    if (terms) {
      const __m512i scale = _mm512_set1_epi16(static_cast<short>(factor));
      even = _mm512_add_epi16(even, _mm512_mulhi_epu16(_mm512_loadu_si512(terms), scale));
      rest = _mm512_add_epi16(rest, _mm512_mulhi_epu16(_mm512_loadu_si512(terms + 64), scale));
    }
    out.take(row, even, rest);
  }
};

// Which rows' sums do not exceed the threshold, a bit each.
inline std::uint64_t within(std::uint32_t threshold, __m512i even, __m512i odd) {
  const __m512i limit = _mm512_set1_epi16(static_cast<short>(threshold));
  const std::uint64_t low = _mm512_cmple_epu16_mask(even, limit);
  const std::uint64_t high = _mm512_cmple_epu16_mask(odd, limit);
  if ((low | high) == 0) return 0;
  return _pdep_u64(low, 0x5555555555555555ull) | _pdep_u64(high, 0xaaaaaaaaaaaaaaaaull);
}
inline void store(std::uint16_t* out, __m512i even, __m512i odd) {
  const __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
  const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
  const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  _mm512_storeu_si512(out, _mm512_permutex2var_epi64(low, first, high));
  _mm512_storeu_si512(out + 32, _mm512_permutex2var_epi64(low, second, high));
}

#elif KF_HAS_AVX2

using Bytes = __m256i;
constexpr std::uint32_t lanes = 32;

inline Bytes load(const std::uint8_t* at) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}
inline Bytes table16(const std::uint8_t* at) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}
inline Bytes low_nibbles(Bytes x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
inline Bytes high_nibbles(Bytes x) { return low_nibbles(_mm256_srli_epi16(x, 4)); }
inline Bytes look_up(Bytes table, Bytes at) { return _mm256_shuffle_epi8(table, at); }
inline Bytes add(Bytes x, Bytes y) { return _mm256_add_epi8(x, y); }

// As with AVX-512.
struct Sums {
  __m256i all = _mm256_setzero_si256(), odd = _mm256_setzero_si256();

  void add(Bytes bytes) {
    all = _mm256_add_epi16(all, bytes);
    odd = _mm256_add_epi16(odd, _mm256_srli_epi16(bytes, 8));
  }
  template <class Out>
  void report(const std::uint8_t* terms, std::uint32_t factor, std::uint32_t part,
              std::uint32_t row, Out& out) const {
    __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8)), rest = odd;
    if (terms) {
      const __m256i scale = _mm256_set1_epi16(static_cast<short>(factor));
      even = _mm256_add_epi16(even, _mm256_mulhi_epu16(load(terms + part), scale));
      rest = _mm256_add_epi16(rest, _mm256_mulhi_epu16(load(terms + 64 + part), scale));
    }
    out.take(row, even, rest);
  }
};

inline std::uint64_t within(std::uint32_t threshold, __m256i even, __m256i odd) {
  const __m256i limit = _mm256_set1_epi16(static_cast<short>(threshold));
  const auto below = [&](__m256i sum) {
    const __m256i least = _mm256_min_epu16(sum, limit);
    return static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi16(least, sum)));
  };
  return (below(even) & 0x55555555u) | (below(odd) & 0xaaaaaaaau);
}
inline void store(std::uint16_t* out, __m256i even, __m256i odd) {
  const __m256i low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_permute2x128_si256(low, high, 0x20));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 16),
                      _mm256_permute2x128_si256(low, high, 0x31));
}

#elif KF_HAS_NEON

using Bytes = uint8x16_t;
constexpr std::uint32_t lanes = 16;

inline Bytes load(const std::uint8_t* at) { return vld1q_u8(at); }
inline Bytes table16(const std::uint8_t* at) { return vld1q_u8(at); }
inline Bytes low_nibbles(Bytes x) { return vandq_u8(x, vdupq_n_u8(15)); }
inline Bytes high_nibbles(Bytes x) { return vshrq_n_u8(x, 4); }
inline Bytes look_up(Bytes table, Bytes at) { return vqtbl1q_u8(table, at); }
inline Bytes add(Bytes x, Bytes y) { return vaddq_u8(x, y); }

struct Sums {
  uint16x8_t low = vdupq_n_u16(0), high = low;

  void add(Bytes bytes) {
    low = vaddw_u8(low, vget_low_u8(bytes));
    high = vaddw_high_u8(high, bytes);
  }
  // Terms of even rows lie before those of odd ones.
  template <class Out>
  void report(const std::uint8_t* terms, std::uint32_t factor, std::uint32_t part,
              std::uint32_t row, Out& out) const {
    uint16x8_t first = low, second = high;
    if (terms) {
      const auto scaled = [&](std::size_t at) {
        const uint16x8_t term = vreinterpretq_u16_u8(vld1q_u8(terms + at + part));
        const auto scale = static_cast<std::uint16_t>(factor);
        return vcombine_u16(vshrn_n_u32(vmull_n_u16(vget_low_u16(term), scale), 16),
                            vshrn_n_u32(vmull_n_u16(vget_high_u16(term), scale), 16));
      };
      const uint16x8_t even = scaled(0), odd = scaled(64);
      first = vaddq_u16(first, vzip1q_u16(even, odd));
      second = vaddq_u16(second, vzip2q_u16(even, odd));
    }
    out.take(row, first, second);
  }
};

inline std::uint64_t within(std::uint32_t threshold, uint16x8_t first, uint16x8_t second) {
  const uint16x8_t limit = vdupq_n_u16(static_cast<std::uint16_t>(threshold));
  const uint16x8_t bits = {1, 2, 4, 8, 16, 32, 64, 128};
  const auto below = [&](uint16x8_t sums) {
    return static_cast<std::uint64_t>(vaddvq_u16(vandq_u16(vcleq_u16(sums, limit), bits)));
  };
  return below(first) | below(second) << 8;
}
inline void store(std::uint16_t* out, uint16x8_t first, uint16x8_t second) {
  vst1q_u16(out, first);
  vst1q_u16(out + 8, second);
}

#endif

}  // namespace
}  // namespace kf::KF_LEVEL
