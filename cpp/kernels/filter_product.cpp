// The filter of asymmetric search over product codes (Jegou et al. 2011, eq. 13): the codes whose
// sum of byte tables, each a lower bound, does not exceed a threshold. Exact 16-bit integers at
// every level.
//
// codes    blocks of 64 rows, 64 * width bytes each: byte j of the 64 rows side by side for
//          j < lookups; then, where width = lookups + 2, a 16-bit term of each row: the 32 even
//          rows, the 32 odd ones
// tables   8-bit codes: (lookups, 256) and three readable bytes beyond; 4-bit codes: (lookups, 2,
//          16) of at most 127, the low nibble's table first
// factor   a term counts (term * factor) >> 16; lookups * 255 + factor at most 65535, so that sums
//          fit 16 bits
// hits     rows counted from the first block; room for 64 * blocks
//
// Bound: width bytes a code from memory; 256 entries in registers are two VPERMI2B, that is
// width / 16 cycles a code.

#include "kernels/product.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

// The arguments that all blocks share.
struct Scan {
  std::size_t width, lookups;
  const std::uint8_t* tables;
  std::uint32_t factor;
  bool ahead = false;  // whether the blocks two groups further on belong to the same list

  const std::uint8_t* terms(const std::uint8_t* block) const {
    return width > lookups ? block + 64 * lookups : nullptr;
  }
  // The term of row r of a block: even rows come first.
  std::uint32_t term(const std::uint8_t* block, std::uint32_t r) const {
    if (width == lookups) return 0;
    std::uint16_t value;
    __builtin_memcpy(&value, block + 64 * lookups + 2 * (r / 2 + r % 2 * 32), sizeof value);
    return value * factor >> 16;
  }
};

// What becomes of the sums: rows that do not exceed the threshold, or all sums.
struct Hits {
  std::uint32_t threshold;
  std::uint32_t* out;
  std::size_t found = 0;

  void take(std::uint32_t row, const std::uint32_t* sums, std::uint32_t n) {
    for (std::uint32_t r = 0; r < n; ++r)
      if (sums[r] <= threshold) out[found++] = row + r;
  }
  void take(std::uint32_t row, std::uint64_t mask) {
    for (; mask; mask &= mask - 1)
      out[found++] = row + static_cast<std::uint32_t>(__builtin_ctzll(mask));
  }
#if KF_HAS_AVX512
  void take(std::uint32_t row, __m512i even, __m512i odd) {
    const __m512i limit = _mm512_set1_epi16(static_cast<short>(threshold));
    const std::uint64_t low = _mm512_cmple_epu16_mask(even, limit);
    const std::uint64_t high = _mm512_cmple_epu16_mask(odd, limit);
    if (low | high)
      take(row, _pdep_u64(low, 0x5555555555555555ull) | _pdep_u64(high, 0xaaaaaaaaaaaaaaaaull));
  }
#elif KF_HAS_AVX2
  void take(std::uint32_t row, __m256i even, __m256i odd) {
    const __m256i limit = _mm256_set1_epi16(static_cast<short>(threshold));
    const auto below = [&](__m256i sum) {
      const __m256i least = _mm256_min_epu16(sum, limit);
      return static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi16(least, sum)));
    };
    take(row, (below(even) & 0x55555555u) | (below(odd) & 0xaaaaaaaau));
  }
#elif KF_HAS_NEON
  // Eight rows.
  void take(std::uint32_t row, uint16x8_t sums) {
    const uint16x8_t within = vcleq_u16(sums, vdupq_n_u16(static_cast<std::uint16_t>(threshold)));
    std::uint64_t mask = vget_lane_u64(vreinterpret_u64_u8(vmovn_u16(within)), 0);
    for (mask &= 0x0101010101010101u; mask; mask &= mask - 1)
      out[found++] = row + static_cast<std::uint32_t>(__builtin_ctzll(mask)) / 8;
  }
#endif
};

struct All {
  std::uint16_t* out;

  void take(std::uint32_t row, const std::uint32_t* sums, std::uint32_t n) {
    for (std::uint32_t r = 0; r < n; ++r) out[row + r] = static_cast<std::uint16_t>(sums[r]);
  }
#if KF_HAS_AVX512
  void take(std::uint32_t row, __m512i even, __m512i odd) {
    const __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
    const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    _mm512_storeu_si512(out + row, _mm512_permutex2var_epi64(low, first, high));
    _mm512_storeu_si512(out + row + 32, _mm512_permutex2var_epi64(low, second, high));
  }
#elif KF_HAS_AVX2
  void take(std::uint32_t row, __m256i even, __m256i odd) {
    const __m256i low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + row),
                        _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + row + 16),
                        _mm256_permute2x128_si256(low, high, 0x31));
  }
#elif KF_HAS_NEON
  void take(std::uint32_t row, uint16x8_t sums) { vst1q_u16(out + row, sums); }
#endif
};

#if KF_HAS_AVX512

// Even and odd bytes are summed apart: `all` holds even + 256 * odd modulo 2^16, `odd` the odd
// ones.
struct Sums {
  __m512i all = _mm512_setzero_si512(), odd = _mm512_setzero_si512();

  void add(__m512i bytes) {
    all = _mm512_add_epi16(all, bytes);
    odd = _mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8));
  }

  template <class Out>
  void report(const std::uint8_t* terms, std::uint32_t factor, std::uint32_t row, Out& out) const {
    __m512i even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8)), rest = odd;
    if (terms) {
      const __m512i scale = _mm512_set1_epi16(static_cast<short>(factor));
      even = _mm512_add_epi16(even, _mm512_mulhi_epu16(_mm512_loadu_si512(terms), scale));
      rest = _mm512_add_epi16(rest, _mm512_mulhi_epu16(_mm512_loadu_si512(terms + 64), scale));
    }
    out.take(row, even, rest);
  }
};

template <int Blocks, class Out>
inline void report(const Scan& scan, const Sums* sums, const std::uint8_t* codes, std::uint32_t row,
                   Out& out) {
  for (int b = 0; b < Blocks; ++b)
    sums[b].report(scan.terms(codes + 64 * scan.width * static_cast<std::size_t>(b)), scan.factor,
                   row + 64 * static_cast<std::uint32_t>(b), out);
}

// Loads a row of a block and asks for the one two groups of blocks further on: pages end the
// processor's own looking ahead.
template <int Blocks>
inline __m512i load(const Scan& scan, const std::uint8_t* codes, int block, std::size_t j) {
  const std::uint8_t* at = codes + 64 * (static_cast<std::size_t>(block) * scan.width + j);
  if (scan.ahead) __builtin_prefetch(at + 2 * Blocks * 64 * scan.width, 0, 2);
  return _mm512_loadu_si512(at);
}

#endif

#if KF_HAS_AVX512ICL

template <int Blocks, class Out>
inline void scan8(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  Sums sums[Blocks];
  for (std::size_t j = 0; j < scan.lookups; ++j) {
    const std::uint8_t* table = scan.tables + 256 * j;
    const __m512i t0 = _mm512_loadu_si512(table), t1 = _mm512_loadu_si512(table + 64);
    const __m512i t2 = _mm512_loadu_si512(table + 128), t3 = _mm512_loadu_si512(table + 192);
    for (int b = 0; b < Blocks; ++b) {
      const __m512i code = load<Blocks>(scan, codes, b, j);
      const __m512i low = _mm512_permutex2var_epi8(t0, code, t1);
      const __m512i high = _mm512_permutex2var_epi8(t2, code, t3);
      sums[b].add(_mm512_mask_blend_epi8(_mm512_movepi8_mask(code), low, high));
    }
  }
  report<Blocks>(scan, sums, codes, row, out);
}

#elif KF_HAS_AVX2

// Without 128-entry look-ups in registers: gathers of four bytes, of which the first counts.
inline __m256i look_up(const std::uint8_t* codes, const std::uint8_t* table) {
  const __m256i at = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
  return _mm256_and_si256(_mm256_i32gather_epi32(reinterpret_cast<const int*>(table), at, 1),
                          _mm256_set1_epi32(0xff));
}

template <int Blocks, class Out>
inline void scan8(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  static_assert(Blocks == 1);
  for (std::uint32_t part = 0; part < 64; part += 16) {
    std::uint32_t sums[16];
    for (std::uint32_t r = 0; r < 16; ++r) sums[r] = scan.term(codes, part + r);
    auto* at = reinterpret_cast<__m256i*>(sums);
    __m256i a = _mm256_loadu_si256(at), b = _mm256_loadu_si256(at + 1);
    for (std::size_t j = 0; j < scan.lookups; ++j) {
      a = _mm256_add_epi32(a, look_up(codes + 64 * j + part, scan.tables + 256 * j));
      b = _mm256_add_epi32(b, look_up(codes + 64 * j + part + 8, scan.tables + 256 * j));
    }
    _mm256_storeu_si256(at, a);
    _mm256_storeu_si256(at + 1, b);
    out.take(row + part, sums, 16);
  }
}

#elif KF_HAS_NEON

// The sums of 16 rows of a block, and their terms: those of even rows lie before those of odd ones.
struct Sums16 {
  uint16x8_t low = vdupq_n_u16(0), high = low;

  void add(uint8x16_t bytes) {
    low = vaddw_u8(low, vget_low_u8(bytes));
    high = vaddw_high_u8(high, bytes);
  }

  template <class Out>
  void report(const Scan& scan, const std::uint8_t* codes, std::uint32_t part, std::uint32_t row,
              Out& out) {
    if (const std::uint8_t* terms = scan.terms(codes)) {
      const auto scaled = [&](std::size_t at) {
        const uint16x8_t term = vreinterpretq_u16_u8(vld1q_u8(terms + at + part));
        const auto factor = static_cast<std::uint16_t>(scan.factor);
        return vcombine_u16(vshrn_n_u32(vmull_n_u16(vget_low_u16(term), factor), 16),
                            vshrn_n_u32(vmull_n_u16(vget_high_u16(term), factor), 16));
      };
      const uint16x8_t even = scaled(0), odd = scaled(64);
      low = vaddq_u16(low, vzip1q_u16(even, odd));
      high = vaddq_u16(high, vzip2q_u16(even, odd));
    }
    out.take(row + part, low);
    out.take(row + part + 8, high);
  }
};

// A table of 256 bytes is sixteen registers: four look-ups of 64 entries, of which one counts.
template <int Blocks, class Out>
inline void scan8(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  static_assert(Blocks == 1);
  Sums16 sums[4];
  const uint8x16_t quarter = vdupq_n_u8(64);
  for (std::size_t j = 0; j < scan.lookups; ++j) {
    const std::uint8_t* table = scan.tables + 256 * j;
    const uint8x16x4_t t0 = vld1q_u8_x4(table), t1 = vld1q_u8_x4(table + 64),
                       t2 = vld1q_u8_x4(table + 128), t3 = vld1q_u8_x4(table + 192);
    for (int p = 0; p < 4; ++p) {
      uint8x16_t code = vld1q_u8(codes + 64 * j + 16 * p);
      uint8x16_t bytes = vqtbl4q_u8(t0, code);
      bytes = vqtbx4q_u8(bytes, t1, code = vsubq_u8(code, quarter));
      bytes = vqtbx4q_u8(bytes, t2, code = vsubq_u8(code, quarter));
      bytes = vqtbx4q_u8(bytes, t3, vsubq_u8(code, quarter));
      sums[p].add(bytes);
    }
  }
  for (std::uint32_t p = 0; p < 4; ++p) sums[p].report(scan, codes, 16 * p, row, out);
}

#else

template <int Blocks, class Out>
inline void scan8(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  std::uint32_t sums[64];
  for (std::uint32_t r = 0; r < 64; ++r) sums[r] = scan.term(codes, r);
  for (std::size_t j = 0; j < scan.lookups; ++j)
    for (int r = 0; r < 64; ++r)
      sums[r] += scan.tables[256 * j + codes[64 * j + static_cast<std::size_t>(r)]];
  out.take(row, sums, 64);
}

#endif

#if KF_HAS_AVX512

template <int Blocks, class Out>
inline void scan4(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  const __m512i nibble = _mm512_set1_epi8(15);
  Sums sums[Blocks];
  for (std::size_t j = 0; j < scan.lookups; ++j) {
    const auto* table = reinterpret_cast<const __m128i*>(scan.tables + 32 * j);
    const __m512i t0 = _mm512_broadcast_i32x4(_mm_loadu_si128(table));
    const __m512i t1 = _mm512_broadcast_i32x4(_mm_loadu_si128(table + 1));
    for (int b = 0; b < Blocks; ++b) {
      const __m512i code = load<Blocks>(scan, codes, b, j);
      const __m512i low = _mm512_shuffle_epi8(t0, _mm512_and_si512(code, nibble));
      const __m512i high =
          _mm512_shuffle_epi8(t1, _mm512_and_si512(_mm512_srli_epi16(code, 4), nibble));
      sums[b].add(_mm512_add_epi8(low, high));
    }
  }
  report<Blocks>(scan, sums, codes, row, out);
}

#elif KF_HAS_AVX2

template <int Blocks, class Out>
inline void scan4(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  static_assert(Blocks == 1);
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i all[2], odd[2];
  for (int h = 0; h < 2; ++h) all[h] = odd[h] = _mm256_setzero_si256();
  for (std::size_t j = 0; j < scan.lookups; ++j) {
    const auto* table = reinterpret_cast<const __m128i*>(scan.tables + 32 * j);
    const __m256i t0 = _mm256_broadcastsi128_si256(_mm_loadu_si128(table));
    const __m256i t1 = _mm256_broadcastsi128_si256(_mm_loadu_si128(table + 1));
    for (int h = 0; h < 2; ++h) {
      const __m256i code =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + 64 * j + 32 * h));
      const __m256i low = _mm256_shuffle_epi8(t0, _mm256_and_si256(code, nibble));
      const __m256i high =
          _mm256_shuffle_epi8(t1, _mm256_and_si256(_mm256_srli_epi16(code, 4), nibble));
      const __m256i bytes = _mm256_add_epi8(low, high);
      all[h] = _mm256_add_epi16(all[h], bytes);
      odd[h] = _mm256_add_epi16(odd[h], _mm256_srli_epi16(bytes, 8));
    }
  }
  const std::uint8_t* terms = scan.terms(codes);
  const __m256i factor = _mm256_set1_epi16(static_cast<short>(scan.factor));
  for (int h = 0; h < 2; ++h) {
    __m256i even = _mm256_sub_epi16(all[h], _mm256_slli_epi16(odd[h], 8));
    if (terms) {
      const auto scaled = [&](int at) {
        return _mm256_mulhi_epu16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(terms + at)),
                                  factor);
      };
      even = _mm256_add_epi16(even, scaled(32 * h));
      odd[h] = _mm256_add_epi16(odd[h], scaled(64 + 32 * h));
    }
    out.take(row + 32 * static_cast<std::uint32_t>(h), even, odd[h]);
  }
}

#elif KF_HAS_NEON

template <int Blocks, class Out>
inline void scan4(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  static_assert(Blocks == 1);
  const uint8x16_t nibble = vdupq_n_u8(15);
  Sums16 sums[4];
  for (std::size_t j = 0; j < scan.lookups; ++j) {
    const uint8x16_t t0 = vld1q_u8(scan.tables + 32 * j), t1 = vld1q_u8(scan.tables + 32 * j + 16);
    for (int p = 0; p < 4; ++p) {
      const uint8x16_t code = vld1q_u8(codes + 64 * j + 16 * p);
      // Both at most 127: their sum is a byte.
      sums[p].add(
          vaddq_u8(vqtbl1q_u8(t0, vandq_u8(code, nibble)), vqtbl1q_u8(t1, vshrq_n_u8(code, 4))));
    }
  }
  for (std::uint32_t p = 0; p < 4; ++p) sums[p].report(scan, codes, 16 * p, row, out);
}

#else

template <int Blocks, class Out>
inline void scan4(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  std::uint32_t sums[64];
  for (std::uint32_t r = 0; r < 64; ++r) sums[r] = scan.term(codes, r);
  for (std::size_t j = 0; j < scan.lookups; ++j)
    for (int r = 0; r < 64; ++r) {
      const unsigned code = codes[64 * j + static_cast<std::size_t>(r)];
      const std::uint8_t* table = scan.tables + 32 * j;
      sums[r] += static_cast<std::uint32_t>(table[code & 15]) + table[16 + (code >> 4)];
    }
  out.take(row, sums, 64);
}

#endif

template <class Out>
inline void scan_all(Scan scan, std::size_t bits, const std::uint8_t* codes, std::size_t blocks,
                     Out& out) {
  std::size_t b = 0;
  const auto step = [&](std::size_t count) {
    const std::uint8_t* at = codes + 64 * scan.width * b;
    b += count;
    scan.ahead = b + 2 * count <= blocks;
    return at;
  };
  const auto row = [&] { return static_cast<std::uint32_t>(64 * b); };
  if (bits == 8) {
#if KF_HAS_AVX512ICL
    while (b + 4 <= blocks) {
      const auto r = row();
      scan8<4>(scan, step(4), r, out);
    }
    while (b + 2 <= blocks) {
      const auto r = row();
      scan8<2>(scan, step(2), r, out);
    }
#endif
    while (b < blocks) {
      const auto r = row();
      scan8<1>(scan, step(1), r, out);
    }
    return;
  }
#if KF_HAS_AVX512
  while (b + 4 <= blocks) {
    const auto r = row();
    scan4<4>(scan, step(4), r, out);
  }
  while (b + 2 <= blocks) {
    const auto r = row();
    scan4<2>(scan, step(2), r, out);
  }
#endif
  while (b < blocks) {
    const auto r = row();
    scan4<1>(scan, step(1), r, out);
  }
}

}  // namespace

std::size_t filter_product(const std::uint8_t* codes, std::size_t blocks, std::size_t width,
                           std::size_t lookups, const std::uint8_t* tables, std::uint32_t factor,
                           std::uint32_t threshold, std::uint32_t* hits) {
  Hits out{threshold < 65535 ? threshold : 65535, hits};
  scan_all({width, lookups, tables, factor}, 8, codes, blocks, out);
  return out.found;
}

std::size_t filter_product4(const std::uint8_t* codes, std::size_t blocks, std::size_t width,
                            std::size_t lookups, const std::uint8_t* tables, std::uint32_t factor,
                            std::uint32_t threshold, std::uint32_t* hits) {
  Hits out{threshold < 65535 ? threshold : 65535, hits};
  scan_all({width, lookups, tables, factor}, 4, codes, blocks, out);
  return out.found;
}

void sums_product(const std::uint8_t* codes, std::size_t blocks, std::size_t width,
                  std::size_t lookups, std::size_t bits, const std::uint8_t* tables,
                  std::uint32_t factor, std::uint16_t* sums) {
  All out{sums};
  scan_all({width, lookups, tables, factor}, bits, codes, blocks, out);
}

}  // namespace kf::KF_LEVEL
