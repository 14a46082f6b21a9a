// The filter of asymmetric search over product codes (Jegou et al. 2011, eq. 13): the codes whose
// sum of byte tables, each a lower bound, does not exceed a threshold. Exact 16-bit integers at
// every level.
//
// codes    blocks of 64 rows, 64 * width bytes each: byte j of the 64 rows side by side for j <
// lookups; then, where
//          width = lookups + 2, a 16-bit term of each row: the 32 even rows, the 32 odd ones
// tables   8-bit codes: (width, 256) and three readable bytes beyond; 4-bit codes: (width, 2, 16)
// of at most 127,
//          the low nibble's table first
// hits     rows counted from the first block; room for 64 * blocks
// Bound: width bytes a code from memory; 256 entries in registers are two VPERMI2B, that is width /
// 16 cycles a code.

#include "kernels/table.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

// The arguments that all blocks share.
struct Scan {
  std::size_t width, lookups;
  const std::uint8_t* tables;
  std::uint32_t factor, threshold;

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

#if KF_LEVEL_RANK >= 2

// Even and odd bytes are summed apart: `all` holds even + 256 * odd modulo 2^16, `odd` the odd
// ones.
struct Sums {
  __m512i all = _mm512_setzero_si512(), odd = _mm512_setzero_si512();

  void add(__m512i bytes) {
    all = _mm512_add_epi16(all, bytes);
    odd = _mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8));
  }

  std::size_t report(const std::uint8_t* terms, __m512i factor, __m512i threshold,
                     std::uint32_t row, std::uint32_t* hits) {
    __m512i even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8));
    if (terms) {
      even = _mm512_add_epi16(even, _mm512_mulhi_epu16(_mm512_loadu_si512(terms), factor));
      odd = _mm512_add_epi16(odd, _mm512_mulhi_epu16(_mm512_loadu_si512(terms + 64), factor));
    }
    const std::uint64_t low = _mm512_cmple_epu16_mask(even, threshold);
    const std::uint64_t high = _mm512_cmple_epu16_mask(odd, threshold);
    if ((low | high) == 0) return 0;
    std::uint64_t mask =
        _pdep_u64(low, 0x5555555555555555ull) | _pdep_u64(high, 0xaaaaaaaaaaaaaaaaull);
    std::size_t found = 0;
    for (; mask; mask &= mask - 1)
      hits[found++] = row + static_cast<std::uint32_t>(__builtin_ctzll(mask));
    return found;
  }
};

#endif

#if KF_LEVEL_RANK >= 3

template <int Blocks>
inline std::size_t scan8(const Scan& scan, const std::uint8_t* codes, std::uint32_t row,
                         std::uint32_t* hits) {
  Sums sums[Blocks];
  for (std::size_t j = 0; j < scan.lookups; ++j) {
    const std::uint8_t* table = scan.tables + 256 * j;
    const __m512i t0 = _mm512_loadu_si512(table), t1 = _mm512_loadu_si512(table + 64);
    const __m512i t2 = _mm512_loadu_si512(table + 128), t3 = _mm512_loadu_si512(table + 192);
    for (int b = 0; b < Blocks; ++b) {
      const __m512i code =
          _mm512_loadu_si512(codes + 64 * (static_cast<std::size_t>(b) * scan.width + j));
      const __m512i low = _mm512_permutex2var_epi8(t0, code, t1);
      const __m512i high = _mm512_permutex2var_epi8(t2, code, t3);
      sums[b].add(_mm512_mask_blend_epi8(_mm512_movepi8_mask(code), low, high));
    }
  }
  std::size_t found = 0;
  const __m512i limit = _mm512_set1_epi16(static_cast<short>(scan.threshold));
  const __m512i factor = _mm512_set1_epi16(static_cast<short>(scan.factor));
  for (int b = 0; b < Blocks; ++b)
    found += sums[b].report(scan.terms(codes + 64 * scan.width * static_cast<std::size_t>(b)),
                            factor, limit, row + 64 * static_cast<std::uint32_t>(b), hits + found);
  return found;
}

#elif KF_LEVEL_RANK >= 1

// Without 128-entry look-ups in registers: gathers of four bytes, of which the first counts.
inline __m256i look_up(const std::uint8_t* codes, const std::uint8_t* table) {
  const __m256i at = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
  return _mm256_and_si256(_mm256_i32gather_epi32(reinterpret_cast<const int*>(table), at, 1),
                          _mm256_set1_epi32(0xff));
}

template <int Blocks>
inline std::size_t scan8(const Scan& scan, const std::uint8_t* codes, std::uint32_t row,
                         std::uint32_t* hits) {
  static_assert(Blocks == 1);
  const __m256i limit = _mm256_set1_epi32(static_cast<int>(scan.threshold));
  std::size_t found = 0;
  for (std::uint32_t part = 0; part < 64; part += 16) {
    __m256i a = _mm256_setzero_si256(), b = a;
    if (scan.width > scan.lookups) {
      std::int32_t terms[16];
      for (std::uint32_t r = 0; r < 16; ++r)
        terms[r] = static_cast<std::int32_t>(scan.term(codes, part + r));
      a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(terms));
      b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(terms + 8));
    }
    for (std::size_t j = 0; j < scan.lookups; ++j) {
      a = _mm256_add_epi32(a, look_up(codes + 64 * j + part, scan.tables + 256 * j));
      b = _mm256_add_epi32(b, look_up(codes + 64 * j + part + 8, scan.tables + 256 * j));
    }
    const auto above = [&](__m256i sum) {
      return static_cast<unsigned>(
          _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(sum, limit))));
    };
    unsigned mask = ~(above(a) | above(b) << 8) & 0xffffu;
    for (; mask; mask &= mask - 1)
      hits[found++] = row + part + static_cast<std::uint32_t>(__builtin_ctz(mask));
  }
  return found;
}

#else

template <int Blocks>
inline std::size_t scan8(const Scan& scan, const std::uint8_t* codes, std::uint32_t row,
                         std::uint32_t* hits) {
  std::uint32_t sums[64] = {};
  for (std::size_t j = 0; j < scan.lookups; ++j)
    for (int r = 0; r < 64; ++r)
      sums[r] += scan.tables[256 * j + codes[64 * j + static_cast<std::size_t>(r)]];
  std::size_t found = 0;
  for (std::uint32_t r = 0; r < 64; ++r)
    if (sums[r] + scan.term(codes, r) <= scan.threshold) hits[found++] = row + r;
  return found;
}

#endif

#if KF_LEVEL_RANK >= 2

template <int Blocks>
inline std::size_t scan4(const Scan& scan, const std::uint8_t* codes, std::uint32_t row,
                         std::uint32_t* hits) {
  const __m512i nibble = _mm512_set1_epi8(15);
  Sums sums[Blocks];
  for (std::size_t j = 0; j < scan.lookups; ++j) {
    const auto* table = reinterpret_cast<const __m128i*>(scan.tables + 32 * j);
    const __m512i t0 = _mm512_broadcast_i32x4(_mm_loadu_si128(table));
    const __m512i t1 = _mm512_broadcast_i32x4(_mm_loadu_si128(table + 1));
    for (int b = 0; b < Blocks; ++b) {
      const __m512i code =
          _mm512_loadu_si512(codes + 64 * (static_cast<std::size_t>(b) * scan.width + j));
      const __m512i low = _mm512_shuffle_epi8(t0, _mm512_and_si512(code, nibble));
      const __m512i high =
          _mm512_shuffle_epi8(t1, _mm512_and_si512(_mm512_srli_epi16(code, 4), nibble));
      sums[b].add(_mm512_add_epi8(low, high));
    }
  }
  std::size_t found = 0;
  const __m512i limit = _mm512_set1_epi16(static_cast<short>(scan.threshold));
  const __m512i factor = _mm512_set1_epi16(static_cast<short>(scan.factor));
  for (int b = 0; b < Blocks; ++b)
    found += sums[b].report(scan.terms(codes + 64 * scan.width * static_cast<std::size_t>(b)),
                            factor, limit, row + 64 * static_cast<std::uint32_t>(b), hits + found);
  return found;
}

#elif KF_LEVEL_RANK >= 1

template <int Blocks>
inline std::size_t scan4(const Scan& scan, const std::uint8_t* codes, std::uint32_t row,
                         std::uint32_t* hits) {
  static_assert(Blocks == 1);
  const __m256i nibble = _mm256_set1_epi8(15),
                limit = _mm256_set1_epi16(static_cast<short>(scan.threshold));
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
  std::size_t found = 0;
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
    const auto below = [&](__m256i sum) {
      const __m256i least = _mm256_min_epu16(sum, limit);
      return static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi16(least, sum)));
    };
    unsigned mask = (below(even) & 0x55555555u) | (below(odd[h]) & 0xaaaaaaaau);
    for (; mask; mask &= mask - 1)
      hits[found++] = row + 32 * static_cast<std::uint32_t>(h) +
                      static_cast<std::uint32_t>(__builtin_ctz(mask));
  }
  return found;
}

#else

template <int Blocks>
inline std::size_t scan4(const Scan& scan, const std::uint8_t* codes, std::uint32_t row,
                         std::uint32_t* hits) {
  std::uint32_t sums[64] = {};
  for (std::size_t j = 0; j < scan.lookups; ++j)
    for (int r = 0; r < 64; ++r) {
      const unsigned code = codes[64 * j + static_cast<std::size_t>(r)];
      const std::uint8_t* table = scan.tables + 32 * j;
      sums[r] += static_cast<std::uint32_t>(table[code & 15]) + table[16 + (code >> 4)];
    }
  std::size_t found = 0;
  for (std::uint32_t r = 0; r < 64; ++r)
    if (sums[r] + scan.term(codes, r) <= scan.threshold) hits[found++] = row + r;
  return found;
}

#endif

}  // namespace

std::size_t filter_product(const std::uint8_t* codes, std::size_t blocks, std::size_t width,
                           std::size_t lookups, const std::uint8_t* tables, std::uint32_t factor,
                           std::uint32_t threshold, std::uint32_t* hits) {
  const Scan scan{width, lookups, tables, factor, threshold < 65535 ? threshold : 65535};
  std::size_t found = 0, b = 0;
#if KF_LEVEL_RANK >= 3
  for (; b + 4 <= blocks; b += 4)
    found +=
        scan8<4>(scan, codes + 64 * width * b, static_cast<std::uint32_t>(64 * b), hits + found);
  for (; b + 2 <= blocks; b += 2)
    found +=
        scan8<2>(scan, codes + 64 * width * b, static_cast<std::uint32_t>(64 * b), hits + found);
#endif
  for (; b < blocks; ++b)
    found +=
        scan8<1>(scan, codes + 64 * width * b, static_cast<std::uint32_t>(64 * b), hits + found);
  return found;
}

std::size_t filter_product4(const std::uint8_t* codes, std::size_t blocks, std::size_t width,
                            std::size_t lookups, const std::uint8_t* tables, std::uint32_t factor,
                            std::uint32_t threshold, std::uint32_t* hits) {
  const Scan scan{width, lookups, tables, factor, threshold < 65535 ? threshold : 65535};
  std::size_t found = 0, b = 0;
#if KF_LEVEL_RANK >= 2
  for (; b + 4 <= blocks; b += 4)
    found +=
        scan4<4>(scan, codes + 64 * width * b, static_cast<std::uint32_t>(64 * b), hits + found);
  for (; b + 2 <= blocks; b += 2)
    found +=
        scan4<2>(scan, codes + 64 * width * b, static_cast<std::uint32_t>(64 * b), hits + found);
#endif
  for (; b < blocks; ++b)
    found +=
        scan4<1>(scan, codes + 64 * width * b, static_cast<std::uint32_t>(64 * b), hits + found);
  return found;
}

// For the first few rows of a search alone, hence without a form for each level.
void sums_product(const std::uint8_t* codes, std::size_t blocks, std::size_t width,
                  std::size_t lookups, std::size_t bits, const std::uint8_t* tables,
                  std::uint32_t factor, std::uint16_t* sums) {
  const Scan scan{width, lookups, tables, factor, 0};
  for (std::size_t b = 0; b < blocks; ++b, codes += 64 * width, sums += 64) {
    std::uint32_t totals[64] = {};
    for (std::size_t j = 0; j < lookups; ++j) {
      const std::uint8_t* from = codes + 64 * j;
      if (bits == 8)
        for (int r = 0; r < 64; ++r) totals[r] += tables[256 * j + from[r]];
      else
        for (int r = 0; r < 64; ++r)
          totals[r] += static_cast<std::uint32_t>(tables[32 * j + (from[r] & 15)]) +
                       tables[32 * j + 16 + (from[r] >> 4)];
    }
    for (std::uint32_t r = 0; r < 64; ++r)
      sums[r] = static_cast<std::uint16_t>(totals[r] + scan.term(codes, r));
  }
}

}  // namespace kf::KF_LEVEL
