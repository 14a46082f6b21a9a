// The canonical distance between a vector and what a product code stands for: bit for bit that of
// distances.cpp and the decoded vector, without writing that down where its pieces fill registers.

#include "kernels/distance_ops.h"
#include "kernels/product.h"

namespace kf::KF_LEVEL {

// Of decode.cpp.
void gather_pieces(const float* codebooks, const std::uint8_t* code, std::size_t stride,
                   std::size_t m, std::size_t bits, std::size_t s, float* out);

namespace {

struct Code {
  const float* codebooks;
  const std::uint8_t* code;
  std::size_t stride, bits;

  std::size_t entry(std::size_t j) const {
    if (bits == 8) return code[j * stride];
    return (code[j / 2 * stride] >> 4 * (j % 2)) & 15u;
  }
  template <std::size_t Size>
  const float* piece(std::size_t j) const {
    return codebooks + ((j << bits) + entry(j)) * Size;
  }
};

#if KF_HAS_AVX2

#if KF_HAS_AVX512
inline __m512 pair(const float* low, const float* high) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(low)), _mm256_loadu_ps(high), 1);
}
inline __m256 pair4(const float* low, const float* high) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
}
#endif

// 32 dimensions of the decoded vector.
template <std::size_t Size>
inline Vec32 words(const Code& c, std::size_t group) {
  const std::size_t j = group * 32 / Size;
  if constexpr (Size == 16) {
#if KF_HAS_AVX512
    return {_mm512_loadu_ps(c.piece<16>(j)), _mm512_loadu_ps(c.piece<16>(j + 1))};
#else
    const float *a = c.piece<16>(j), *b = c.piece<16>(j + 1);
    return {
        {_mm256_loadu_ps(a), _mm256_loadu_ps(a + 8), _mm256_loadu_ps(b), _mm256_loadu_ps(b + 8)}};
#endif
  } else if constexpr (Size == 8) {
#if KF_HAS_AVX512
    return {pair(c.piece<8>(j), c.piece<8>(j + 1)), pair(c.piece<8>(j + 2), c.piece<8>(j + 3))};
#else
    return {{_mm256_loadu_ps(c.piece<8>(j)), _mm256_loadu_ps(c.piece<8>(j + 1)),
             _mm256_loadu_ps(c.piece<8>(j + 2)), _mm256_loadu_ps(c.piece<8>(j + 3))}};
#endif
  } else {
    static_assert(Size == 4);
#if KF_HAS_AVX512
    const auto four = [&](std::size_t i) {
      return _mm512_insertf32x8(_mm512_castps256_ps512(pair4(c.piece<4>(i), c.piece<4>(i + 1))),
                                pair4(c.piece<4>(i + 2), c.piece<4>(i + 3)), 1);
    };
    return {four(j), four(j + 4)};
#else
    const auto two = [&](std::size_t i) {
      return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(c.piece<4>(i))),
                                  _mm_loadu_ps(c.piece<4>(i + 1)), 1);
    };
    return {{two(j), two(j + 2), two(j + 4), two(j + 6)}};
#endif
  }
}

template <class Op, std::size_t Size>
inline float direct(const float* query, const Code& code, std::size_t d) {
  Vec32 sum = Vec32::zero();
  for (std::size_t g = 0; g < d / 32; ++g)
    sum = Op::add(Vec32::load(query + 32 * g), words<Size>(code, g), sum);
  return reduce(sum);
}

#endif

template <class Op>
inline float decoded(const float* query, const float* codebooks, const std::uint8_t* code,
                     std::size_t stride, std::size_t m, std::size_t bits, std::size_t s,
                     float* scratch) {
  const std::size_t d = m * s;
#if KF_HAS_AVX2
  if (d % 32 == 0) {
    const Code c{codebooks, code, stride, bits};
    if (s == 4) return direct<Op, 4>(query, c, d);
    if (s == 8) return direct<Op, 8>(query, c, d);
    if (s == 16) return direct<Op, 16>(query, c, d);
  }
#endif
  gather_pieces(codebooks, code, stride, m, bits, s, scratch);
  return distance<Op>(query, scratch, d);
}

}  // namespace

float product_squared_l2(const float* query, const float* codebooks, const std::uint8_t* code,
                         std::size_t stride, std::size_t m, std::size_t bits, std::size_t s,
                         float* scratch) {
  return decoded<SquaredL2>(query, codebooks, code, stride, m, bits, s, scratch);
}

float product_inner(const float* query, const float* codebooks, const std::uint8_t* code,
                    std::size_t stride, std::size_t m, std::size_t bits, std::size_t s,
                    float* scratch) {
  return decoded<InnerProduct>(query, codebooks, code, stride, m, bits, s, scratch);
}

}  // namespace kf::KF_LEVEL
