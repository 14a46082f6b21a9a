// Codes of fewer than 8 bits: to the bytes that filter_u8 reads, and which rows with a scale of
// their own can matter.
//
// A code of b bits stands in the upper bits of a byte, so that all that is known of bytes holds for
// it. Where filter_u8 has a line of 64 bytes (16 rows, four dimensions), narrow codes share lines:
//     4 bits  lines A, B      one line, B's bits above, A's below
//     6 bits  lines A, B, C, D   three lines, the upper six bits A's, B's, C's, the lower two D's
// Bound: b / 8 of a byte is read and a byte written, to the first-level cache, for each number.

#include "kernels/narrow.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

#if KF_HAS_AVX512

using Line = __m512i;
constexpr std::size_t width = 64;
inline Line load(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
inline void store(std::uint8_t* p, Line v) { _mm512_storeu_si512(p, v); }
inline Line both(Line a, int mask) {
  return _mm512_and_si512(a, _mm512_set1_epi8(static_cast<char>(mask)));
}
inline Line any_of(Line a, Line b) { return _mm512_or_si512(a, b); }
template <int Bits>
inline Line up(Line v) {
  return _mm512_slli_epi16(v, Bits);
}

#elif KF_HAS_AVX2

using Line = __m256i;
constexpr std::size_t width = 32;
inline Line load(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline void store(std::uint8_t* p, Line v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
}
inline Line both(Line a, int mask) {
  return _mm256_and_si256(a, _mm256_set1_epi8(static_cast<char>(mask)));
}
inline Line any_of(Line a, Line b) { return _mm256_or_si256(a, b); }
template <int Bits>
inline Line up(Line v) {
  return _mm256_slli_epi16(v, Bits);
}

#else

// Eight bytes at a time: what a shift brings in from the next byte is masked away.
using Line = std::uint64_t;
constexpr std::size_t width = 8;
inline Line load(const std::uint8_t* p) {
  Line v;
  __builtin_memcpy(&v, p, 8);
  return v;
}
inline void store(std::uint8_t* p, Line v) { __builtin_memcpy(p, &v, 8); }
inline Line both(Line a, int mask) { return a & static_cast<Line>(mask) * 0x0101010101010101u; }
inline Line any_of(Line a, Line b) { return a | b; }
template <int Bits>
inline Line up(Line v) {
  return v << Bits;
}

#endif

// The last lines, fewer than share, are there but stand for nothing.
void widen4(const std::uint8_t* codes, std::size_t lines, std::uint8_t* out) {
  for (std::size_t line = 0; line < lines; line += 2, codes += 64)
    for (std::size_t i = 0; i < 64; i += width) {
      const Line v = load(codes + i);
      store(out + 64 * line + i, both(up<4>(v), 0xf0));
      if (line + 1 < lines) store(out + 64 * (line + 1) + i, both(v, 0xf0));
    }
}

void widen6(const std::uint8_t* codes, std::size_t lines, std::uint8_t* out) {
  for (std::size_t line = 0; line < lines; line += 4, codes += 192) {
    const std::size_t rest = lines - line;
    std::uint8_t* to = out + 64 * line;
    for (std::size_t i = 0; i < 64; i += width) {
      const Line a = load(codes + i), b = load(codes + 64 + i), c = load(codes + 128 + i);
      store(to + i, both(a, 0xfc));
      if (rest > 1) store(to + 64 + i, both(b, 0xfc));
      if (rest > 2) store(to + 128 + i, both(c, 0xfc));
      if (rest > 3)
        store(to + 192 + i,
              any_of(both(up<6>(a), 0xc0), any_of(both(up<4>(b), 0x30), both(up<2>(c), 0x0c))));
    }
  }
}

}  // namespace

void widen_codes(const std::uint8_t* codes, std::size_t blocks, std::size_t lines, std::size_t bits,
                 std::uint8_t* out) {
  const std::size_t narrow = 64 * (bits == 4 ? (lines + 1) / 2 : (lines + 3) / 4 * 3);
  for (std::size_t block = 0; block < blocks; ++block)
    (bits == 4 ? widen4 : widen6)(codes + block * narrow, lines, out + block * 64 * lines);
}

std::size_t scaled_within(const ScaledRows& rows, const std::int32_t* sums, std::size_t n,
                          const ScaledReach& reach, std::uint32_t* hits) {
  std::size_t found = 0, i = 0;
#if KF_HAS_AVX512
  const __m512 norm = _mm512_set1_ps(reach.norm), low = _mm512_set1_ps(reach.low),
               step = _mm512_set1_ps(reach.step), loss = _mm512_set1_ps(reach.loss),
               limit = _mm512_set1_ps(reach.limit);
  for (; i + 16 <= n; i += 16) {
    const __m512 sum = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(sums + i)), step);
    __m512 value = _mm512_mul_ps(_mm512_loadu_ps(rows.norm + i), norm);
    value = _mm512_fmadd_ps(_mm512_loadu_ps(rows.low + i), low, value);
    value = _mm512_fmadd_ps(_mm512_loadu_ps(rows.step + i), sum, value);
    value = _mm512_fmadd_ps(_mm512_loadu_ps(rows.loss + i), loss, value);
    unsigned mask = _mm512_cmp_ps_mask(value, limit, _CMP_NGT_UQ);
    for (; mask; mask &= mask - 1)
      hits[found++] =
          static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(__builtin_ctz(mask));
  }
#elif KF_HAS_AVX2
  const __m256 norm = _mm256_set1_ps(reach.norm), low = _mm256_set1_ps(reach.low),
               step = _mm256_set1_ps(reach.step), loss = _mm256_set1_ps(reach.loss),
               limit = _mm256_set1_ps(reach.limit);
  for (; i + 8 <= n; i += 8) {
    const __m256i whole = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + i));
    const __m256 sum = _mm256_mul_ps(_mm256_cvtepi32_ps(whole), step);
    __m256 value = _mm256_mul_ps(_mm256_loadu_ps(rows.norm + i), norm);
    value = _mm256_fmadd_ps(_mm256_loadu_ps(rows.low + i), low, value);
    value = _mm256_fmadd_ps(_mm256_loadu_ps(rows.step + i), sum, value);
    value = _mm256_fmadd_ps(_mm256_loadu_ps(rows.loss + i), loss, value);
    unsigned mask =
        static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(value, limit, _CMP_NGT_UQ)));
    for (; mask; mask &= mask - 1)
      hits[found++] =
          static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(__builtin_ctz(mask));
  }
#endif
  for (; i < n; ++i) {
    const float value = rows.norm[i] * reach.norm + rows.low[i] * reach.low +
                        rows.step[i] * (static_cast<float>(sums[i]) * reach.step) +
                        rows.loss[i] * reach.loss;
    if (!(value > reach.limit)) hits[found++] = static_cast<std::uint32_t>(i);
  }
  return found;
}

}  // namespace kf::KF_LEVEL
