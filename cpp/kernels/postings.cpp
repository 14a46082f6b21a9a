// Posting lists: gaps between ids and counts, packed to as few bits as a block needs (Lemire and
// Boytsov 2015, without exceptions), and which scores reach a bound. Sixteen numbers of b bits are
// 2 b bytes, so a group starts at a byte and each number lies within four bytes from its own first.
//
// At most 128 numbers of at most 24 bits; 64 bytes behind them may be read, and as many numbers are
// written as the next multiple of 16. Any bytes are valid: ids are masked to what can be addressed.
// Bound: one store of a number; about two operations for decoding and five for adding up.

#include "kernels/words.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

#if KF_HAS_AVX2

constexpr unsigned widest = 24;

// Where the numbers of a group lie, for each width: byte shuffle and shifts.
#if KF_HAS_AVX512ICL
constexpr unsigned group = 16;
#else
constexpr unsigned group = 8;  // its upper four numbers are shuffled from a load of their own
#endif
struct Places {
  std::uint8_t bytes[widest + 1][4 * group];
  std::uint32_t shifts[widest + 1][group];
};
constexpr Places places() {
  Places p{};
  for (unsigned b = 0; b <= widest; ++b)
    for (unsigned j = 0; j < group; ++j) {
#if KF_HAS_AVX512ICL
      const unsigned bit = j * b;
#else
      const unsigned bit = j < 4 ? j * b : 4 * b % 8 + (j - 4) * b;
#endif
      p.shifts[b][j] = bit % 8;
      for (unsigned t = 0; t < 4; ++t)
        p.bytes[b][4 * j + t] = static_cast<std::uint8_t>(bit / 8 + t);
    }
  return p;
}
constexpr Places at_width = places();

#endif

#if KF_HAS_AVX512ICL

struct Group {
  __m512i order, shifts, mask;
  unsigned bits;
  explicit Group(unsigned b)
      : order(_mm512_loadu_si512(at_width.bytes[b])),
        shifts(_mm512_loadu_si512(at_width.shifts[b])),
        mask(_mm512_set1_epi32(static_cast<int>((1u << b) - 1u))),
        bits(b) {}
  __m512i take(const std::uint8_t* bytes) const {
    const __m512i each = _mm512_permutexvar_epi8(order, _mm512_loadu_si512(bytes));
    return _mm512_and_si512(_mm512_srlv_epi32(each, shifts), mask);
  }
};

inline __m512i sums_before(__m512i v) {
  const __m512i zero = _mm512_setzero_si512();
  v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 15));
  v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 14));
  v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 12));
  return _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 8));
}

#elif KF_HAS_AVX2

struct Group {
  __m256i order, shifts, mask;
  unsigned bits;
  explicit Group(unsigned b)
      : order(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at_width.bytes[b]))),
        shifts(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at_width.shifts[b]))),
        mask(_mm256_set1_epi32(static_cast<int>((1u << b) - 1u))),
        bits(b) {}
  __m256i take(const std::uint8_t* bytes) const {
    const auto* low = reinterpret_cast<const __m128i*>(bytes);
    const auto* high = reinterpret_cast<const __m128i*>(bytes + bits / 2);
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)),
                                                 _mm_loadu_si128(high), 1);
    return _mm256_and_si256(_mm256_srlv_epi32(_mm256_shuffle_epi8(both, order), shifts), mask);
  }
};

inline __m256i sums_before(__m256i v) {
  v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
  v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
  const __m256i lower = _mm256_permute2x128_si256(v, v, 0x08);  // zeros, then the lower half
  return _mm256_add_epi32(v, _mm256_shuffle_epi32(lower, 0xff));
}

#else

inline std::uint32_t take(const std::uint8_t* bytes, std::size_t i, unsigned bits) {
  const std::size_t bit = i * bits;
  const std::uint8_t* p = bytes + bit / 8;
  const std::uint32_t four =
      static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
      static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
  return (four >> bit % 8) & ((1u << bits) - 1u);
}

#endif

}  // namespace

void unpack_bits(const std::uint8_t* bytes, std::size_t n, unsigned bits, std::uint32_t* out) {
#if KF_HAS_AVX2
  const Group at(bits);
  for (std::size_t i = 0; i < n; i += group) {
#if KF_HAS_AVX512ICL
    _mm512_storeu_si512(out + i, at.take(bytes + i / 8 * bits));
#else
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), at.take(bytes + i / 8 * bits));
#endif
  }
#else
  for (std::size_t i = 0; i < n; ++i) out[i] = take(bytes, i, bits);
#endif
}

void unpack_ids(const std::uint8_t* bytes, std::size_t n, unsigned bits, std::uint32_t before,
                std::uint32_t mask, std::uint32_t* ids) {
#if KF_HAS_AVX512ICL
  const Group at(bits);
  __m512i carry = _mm512_set1_epi32(static_cast<int>(before));
  const __m512i kept = _mm512_set1_epi32(static_cast<int>(mask)), last = _mm512_set1_epi32(15);
  for (std::size_t i = 0; i < n; i += group) {
    const __m512i v = _mm512_add_epi32(sums_before(at.take(bytes + i / 8 * bits)), carry);
    _mm512_storeu_si512(ids + i, _mm512_and_si512(v, kept));
    carry = _mm512_permutexvar_epi32(last, v);
  }
#elif KF_HAS_AVX2
  const Group at(bits);
  __m256i carry = _mm256_set1_epi32(static_cast<int>(before));
  const __m256i kept = _mm256_set1_epi32(static_cast<int>(mask)), last = _mm256_set1_epi32(7);
  for (std::size_t i = 0; i < n; i += group) {
    const __m256i v = _mm256_add_epi32(sums_before(at.take(bytes + i / 8 * bits)), carry);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(ids + i), _mm256_and_si256(v, kept));
    carry = _mm256_permutevar8x32_epi32(v, last);
  }
#else
  for (std::size_t i = 0; i < n; ++i) {
    before += take(bytes, i, bits);
    ids[i] = before & mask;
  }
#endif
}

std::size_t products_at_least(const float* a, const float* b, std::size_t n, float least,
                              std::uint32_t* rows) {
  std::size_t found = 0, i = 0;
#if KF_HAS_AVX512
  const __m512 bound = _mm512_set1_ps(least);
  for (; i + 16 <= n; i += 16) {
    const __m512 products = _mm512_mul_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    unsigned mask = _mm512_cmp_ps_mask(products, bound, _CMP_GE_OQ);
    for (; mask; mask &= mask - 1)
      rows[found++] =
          static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(__builtin_ctz(mask));
  }
#elif KF_HAS_AVX2
  const __m256 bound = _mm256_set1_ps(least);
  for (; i + 8 <= n; i += 8) {
    const __m256 products = _mm256_mul_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
    auto mask =
        static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(products, bound, _CMP_GE_OQ)));
    for (; mask; mask &= mask - 1)
      rows[found++] =
          static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(__builtin_ctz(mask));
  }
#endif
  for (; i < n; ++i)
    if (a[i] * b[i] >= least) rows[found++] = static_cast<std::uint32_t>(i);
  return found;
}

}  // namespace kf::KF_LEVEL
