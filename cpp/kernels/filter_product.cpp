// The filter of asymmetric search over product codes (Jegou et al. 2011, eq. 13): the codes whose
// sum of byte tables, each a lower bound, does not exceed a threshold. Exact 16-bit integers at
// every level.
//
// codes    blocks of 64 rows, 64 * width bytes each: byte j of the 64 rows side by side for
//          j < lookups; then, where width = lookups + 2, a 16-bit term of each row: the 32 even
//          rows, the 32 odd ones
// tables   8-bit codes: (lookups, 256), then, where that is wider than widest_table, (lookups, 16), the
//          least of each sixteen entries; 4-bit codes: (lookups, 2, 16) of at most 127, the low
//          nibble's table first
// factor   a term counts (term * factor) >> 16; lookups * 255 + factor at most 65535, so that sums
//          fit 16 bits
// hits     rows counted from the first block; room for 64 * blocks
//
// Bounds: width bytes a code from memory. 256 entries in registers are two VPERMI2B (AVX-512 ICL),
// that is width / 16 cycles a code. Without them a look-up takes several instructions a row, so the
// least of sixteen entries is looked up first, one shuffle for all rows of a register, and of those
// whose sum of these is small enough the entries themselves (after Andre, Kermarrec & Le Scouarnec,
// VLDB 2015): seven instructions a register and look-up.

#include "kernels/product.h"
#include "kernels/product_lanes.h"
#include "simd/vec.h"

#define KF_HAS_LANES (KF_HAS_AVX2 || KF_HAS_NEON)

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
  std::uint32_t unbounded = 0;  // blocks to come of which no bound is taken

  void take(std::uint32_t row, const std::uint32_t* sums, std::uint32_t n) {
    for (std::uint32_t r = 0; r < n; ++r)
      if (sums[r] <= threshold) out[found++] = row + r;
  }
  void take(std::uint32_t row, std::uint64_t mask) {
    for (; mask; mask &= mask - 1)
      out[found++] = row + static_cast<std::uint32_t>(__builtin_ctzll(mask));
  }
#if KF_HAS_LANES
  template <class Lanes>
  void take(std::uint32_t row, Lanes a, Lanes b) {
    take(row, within(threshold, a, b));
  }
#endif
};

struct All {
  std::uint16_t* out;

  void take(std::uint32_t row, const std::uint32_t* sums, std::uint32_t n) {
    for (std::uint32_t r = 0; r < n; ++r) out[row + r] = static_cast<std::uint16_t>(sums[r]);
  }
#if KF_HAS_LANES
  template <class Lanes>
  void take(std::uint32_t row, Lanes a, Lanes b) {
    store(out + row, a, b);
  }
#endif
};

#if KF_HAS_LANES

template <int Blocks, class Out>
inline void report(const Scan& scan, const Sums* sums, const std::uint8_t* codes, std::uint32_t row,
                   Out& out) {
  constexpr std::uint32_t parts = 64 / lanes;
  for (std::uint32_t i = 0; i < Blocks * parts; ++i) {
    const std::uint8_t* block = codes + 64 * scan.width * (i / parts);
    sums[i].report(scan.terms(block), scan.factor, i % parts * lanes, row + lanes * i, out);
  }
}

// Loads byte j of some rows of a block. With AVX-512 those two groups of blocks further on are asked
// for: pages end the processor's own looking ahead.
template <int Blocks>
inline Bytes load_codes(const Scan& scan, const std::uint8_t* codes, std::size_t i, std::size_t j) {
  constexpr std::size_t parts = 64 / lanes;
  const std::uint8_t* at = codes + 64 * (i / parts * scan.width + j) + i % parts * lanes;
#if KF_HAS_AVX512
  if (scan.ahead) __builtin_prefetch(at + 2 * Blocks * 64 * scan.width, 0, 2);
#endif
  return load(at);
}

template <int Blocks, class Out>
inline void scan4(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  Sums sums[Blocks * 64 / lanes];
  for (std::size_t j = 0; j < scan.lookups; ++j) {
    const Bytes low = table16(scan.tables + 32 * j), high = table16(scan.tables + 32 * j + 16);
    for (std::size_t i = 0; i < Blocks * 64 / lanes; ++i) {
      const Bytes code = load_codes<Blocks>(scan, codes, i, j);
      // Both at most 127: their sum is a byte.
      sums[i].add(add(look_up(low, low_nibbles(code)), look_up(high, high_nibbles(code))));
    }
  }
  report<Blocks>(scan, sums, codes, row, out);
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

#if KF_HAS_AVX512ICL

template <int Blocks, class Out>
inline void scan8(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  Sums sums[Blocks];
  for (std::size_t j = 0; j < scan.lookups; ++j) {
    const std::uint8_t* table = scan.tables + 256 * j;
    const Bytes t0 = load(table), t1 = load(table + 64);
    const Bytes t2 = load(table + 128), t3 = load(table + 192);
    for (std::size_t b = 0; b < Blocks; ++b) {
      const Bytes code = load_codes<Blocks>(scan, codes, b, j);
      const Bytes low = _mm512_permutex2var_epi8(t0, code, t1);
      const Bytes high = _mm512_permutex2var_epi8(t2, code, t3);
      sums[b].add(_mm512_mask_blend_epi8(_mm512_movepi8_mask(code), low, high));
    }
  }
  report<Blocks>(scan, sums, codes, row, out);
}

#else

#if KF_HAS_AVX2

// Gathers of four bytes, of which the first counts.
inline __m256i gather(const std::uint8_t* codes, const std::uint8_t* table) {
  const __m256i at = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
  return _mm256_and_si256(_mm256_i32gather_epi32(reinterpret_cast<const int*>(table), at, 1),
                          _mm256_set1_epi32(0xff));
}

// The sums of all rows of a block.
template <class Out>
inline void sum_block(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  for (std::uint32_t part = 0; part < 64; part += 16) {
    std::uint32_t sums[16];
    for (std::uint32_t r = 0; r < 16; ++r) sums[r] = scan.term(codes, part + r);
    auto* at = reinterpret_cast<__m256i*>(sums);
    __m256i a = _mm256_loadu_si256(at), b = _mm256_loadu_si256(at + 1);
    for (std::size_t j = 0; j < scan.lookups; ++j) {
      a = _mm256_add_epi32(a, gather(codes + 64 * j + part, scan.tables + 256 * j));
      b = _mm256_add_epi32(b, gather(codes + 64 * j + part + 8, scan.tables + 256 * j));
    }
    _mm256_storeu_si256(at, a);
    _mm256_storeu_si256(at + 1, b);
    out.take(row + part, sums, 16);
  }
}

#elif KF_HAS_NEON

// A table of 256 bytes is sixteen registers: four look-ups of 64 entries, of which one counts.
template <class Out>
inline void sum_block(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  Sums sums[4];
  const Bytes quarter = vdupq_n_u8(64);
  for (std::size_t j = 0; j < scan.lookups; ++j) {
    const std::uint8_t* table = scan.tables + 256 * j;
    const uint8x16x4_t t0 = vld1q_u8_x4(table), t1 = vld1q_u8_x4(table + 64),
                       t2 = vld1q_u8_x4(table + 128), t3 = vld1q_u8_x4(table + 192);
    for (std::size_t i = 0; i < 4; ++i) {
      Bytes code = load_codes<1>(scan, codes, i, j);
      Bytes bytes = vqtbl4q_u8(t0, code);
      bytes = vqtbx4q_u8(bytes, t1, code = vsubq_u8(code, quarter));
      bytes = vqtbx4q_u8(bytes, t2, code = vsubq_u8(code, quarter));
      sums[i].add(vqtbx4q_u8(bytes, t3, vsubq_u8(code, quarter)));
    }
  }
  report<1>(scan, sums, codes, row, out);
}

#else

template <class Out>
inline void sum_block(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  std::uint32_t sums[64];
  for (std::uint32_t r = 0; r < 64; ++r) sums[r] = scan.term(codes, r);
  for (std::size_t j = 0; j < scan.lookups; ++j)
    for (int r = 0; r < 64; ++r)
      sums[r] += scan.tables[256 * j + codes[64 * j + static_cast<std::size_t>(r)]];
  out.take(row, sums, 64);
}

#endif

template <int Blocks, class Out>
inline void scan8(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Out& out) {
  sum_block(scan, codes, row, out);
}

#if KF_HAS_LANES

// Rows whose sum of bounds does not exceed the threshold.
struct Near {
  std::uint32_t threshold;
  std::uint64_t mask = 0;

  template <class Lanes>
  void take(std::uint32_t row, Lanes a, Lanes b) {
    mask |= within(threshold, a, b) << row;
  }
};

inline std::uint64_t near_rows(const Scan& scan, const std::uint8_t* codes,
                               std::uint32_t threshold) {
  const std::uint8_t* least = scan.tables + 256 * scan.lookups;
  Sums sums[64 / lanes];
  for (std::size_t j = 0; j < scan.lookups; ++j) {
    const Bytes table = table16(least + 16 * j);
    for (std::size_t i = 0; i < 64 / lanes; ++i)
      sums[i].add(look_up(table, high_nibbles(load_codes<1>(scan, codes, i, j))));
  }
  Near near{threshold};
  report<1>(scan, sums, codes, 0, near);
  return near.mask;
}

inline std::uint32_t sum_row(const Scan& scan, const std::uint8_t* codes, std::uint32_t r) {
  const std::uint8_t *code = codes + r, *table = scan.tables;
  std::uint32_t a = scan.term(codes, r), b = 0, c = 0, d = 0;
  std::size_t j = 0;
  for (; j + 4 <= scan.lookups; j += 4, code += 256, table += 1024) {
    a += table[code[0]];
    b += table[256 + code[64]];
    c += table[512 + code[128]];
    d += table[768 + code[192]];
  }
  for (; j < scan.lookups; ++j, code += 64, table += 256) a += table[*code];
  return (a + b) + (c + d);
}

// Above so many of 64 rows to look at, all are: gathers take less time than single look-ups. Then
// the next blocks are likely to be no better.
constexpr int most_near = 44;
constexpr std::uint32_t patience = 7;

template <int Blocks>
inline void scan8(const Scan& scan, const std::uint8_t* codes, std::uint32_t row, Hits& hits) {
  if (hits.unbounded == 0 && hits.threshold < 65535) {
    std::uint64_t near = near_rows(scan, codes, hits.threshold);
    if (__builtin_popcountll(near) <= most_near) {
      for (; near; near &= near - 1) {
        const auto r = static_cast<std::uint32_t>(__builtin_ctzll(near));
        if (sum_row(scan, codes, r) <= hits.threshold) hits.out[hits.found++] = row + r;
      }
      return;
    }
    hits.unbounded = patience + 1;
  }
  if (hits.unbounded > 0) --hits.unbounded;
  sum_block(scan, codes, row, hits);
}

#endif

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

std::size_t widest_table() {
#if KF_HAS_AVX512ICL
  return 256;
#else
  return 16;
#endif
}

}  // namespace kf::KF_LEVEL
