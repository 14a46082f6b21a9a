// Codes back to numbers: pieces of codebooks to float32 vectors, and to the blocks of bytes that
// filter_u8 reads.

#include "kernels/product.h"
#include "kernels/vectors.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

inline std::size_t entry(const std::uint8_t* code, std::size_t stride, std::size_t bits,
                         std::size_t j) {
  if (bits == 8) return code[j * stride];
  return (code[j / 2 * stride] >> 4 * (j % 2)) & 15u;
}

template <std::size_t Size>
inline void pieces(const float* codebooks, const std::uint8_t* code, std::size_t stride,
                   std::size_t m, std::size_t bits, float* out) {
  const std::size_t k = std::size_t{1} << bits;
  for (std::size_t j = 0; j < m; ++j)
    __builtin_memcpy(out + j * Size, codebooks + (j * k + entry(code, stride, bits, j)) * Size,
                     Size * sizeof(float));
}

}  // namespace

void gather_pieces(const float* codebooks, const std::uint8_t* code, std::size_t stride,
                   std::size_t m, std::size_t bits, std::size_t s, float* out) {
  switch (s) {
    case 2:
      return pieces<2>(codebooks, code, stride, m, bits, out);
    case 4:
      return pieces<4>(codebooks, code, stride, m, bits, out);
    case 8:
      return pieces<8>(codebooks, code, stride, m, bits, out);
    case 16:
      return pieces<16>(codebooks, code, stride, m, bits, out);
    default:
      break;
  }
  const std::size_t k = std::size_t{1} << bits;
  for (std::size_t j = 0; j < m; ++j) {
    const float* from = codebooks + (j * k + entry(code, stride, bits, j)) * s;
    for (std::size_t i = 0; i < s; ++i) out[j * s + i] = from[i];
  }
}

// 16 rows at a time: four bytes of each row side by side are one row of filter_u8's operand.
void decode_blocks(const ByteCodebooks& books, const std::uint8_t* codes, std::size_t blocks,
                   std::uint8_t* out, std::int32_t* bias) {
  const std::size_t k = std::size_t{1} << books.bits, groups = books.piece / 4;
  for (std::size_t block = 0; block < 4 * blocks; ++block) {
    const std::uint8_t* part = codes + block / 4 * 64 * books.width + block % 4 * 16;
    std::uint8_t* rows = out + block * 16 * books.padded_d;
#if KF_HAS_AVX512
    __m512i norms = _mm512_setzero_si512();
    for (std::size_t j = 0; j < books.m; ++j) {
      const auto* at = reinterpret_cast<const __m128i*>(part + 64 * (books.bits == 8 ? j : j / 2));
      __m512i index = _mm512_cvtepu8_epi32(_mm_loadu_si128(at));
      if (books.bits == 4)
        index =
            _mm512_and_si512(j % 2 ? _mm512_srli_epi32(index, 4) : index, _mm512_set1_epi32(15));
      const std::uint8_t* book = books.codebooks + j * k * books.piece;
      const __m512i offset =
          _mm512_mullo_epi32(index, _mm512_set1_epi32(static_cast<int>(books.piece)));
      for (std::size_t g = 0; g < groups; ++g, rows += 64)
        _mm512_storeu_si512(rows, _mm512_i32gather_epi32(offset, book + 4 * g, 1));
      if (books.norms)
        norms = _mm512_add_epi32(norms, _mm512_i32gather_epi32(index, books.norms + j * k, 4));
    }
    _mm512_storeu_si512(bias + 16 * block,
                        _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_srai_epi32(norms, 1)));
    for (std::uint8_t* end = out + (block + 1) * 16 * books.padded_d; rows < end; rows += 64)
      _mm512_storeu_si512(rows, _mm512_set1_epi8(-128));
#else
    for (std::size_t r = 0; r < 16; ++r) {
      std::int32_t norm = 0;
      std::uint8_t* to = rows + 4 * r;
      for (std::size_t j = 0; j < books.m; ++j) {
        const std::size_t c = entry(part + r, 64, books.bits, j);
        const std::uint8_t* from = books.codebooks + (j * k + c) * books.piece;
        for (std::size_t g = 0; g < groups; ++g, to += 64) __builtin_memcpy(to, from + 4 * g, 4);
        if (books.norms) norm += books.norms[j * k + c];
      }
      bias[16 * block + r] = -(norm >> 1);
      for (std::uint8_t* end = out + (block + 1) * 16 * books.padded_d; to < end; to += 64)
        for (int i = 0; i < 4; ++i) to[i] = 128;
    }
#endif
  }
}

void halves_to_floats(const std::uint16_t* halves, std::size_t n, float* out) {
  std::size_t i = 0;
#if KF_HAS_AVX2
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(
        out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves + i))));
  for (; i < n; ++i) out[i] = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(halves[i])));
#else
  for (; i < n; ++i) {
    const std::uint32_t h = halves[i], sign = (h & 0x8000u) << 16, rest = h & 0x7fffu;
    std::uint32_t bits = sign;
    float value;
    if (rest >= 0x7c00u) {
      bits |= 0x7f800000u | (rest & 0x3ffu) << 13;
      __builtin_memcpy(&value, &bits, 4);
    } else if (rest >= 0x400u) {
      bits |= (rest + 0x1c000u) << 13;
      __builtin_memcpy(&value, &bits, 4);
    } else {  // subnormal: whole multiples of 2^-24
      value = static_cast<float>(rest) * 0x1p-24f;
      if (sign) value = -value;
    }
    out[i] = value;
  }
#endif
}

// The product is exact in float64's stead: one fused multiply-add where there is one.
void bytes_to_floats(const std::uint8_t* bytes, std::size_t n, float scale, const float* centre,
                     float* out) {
  std::size_t i = 0;
#if KF_HAS_AVX2
  const __m256 unit = _mm256_set1_ps(scale);
  const __m256i middle = _mm256_set1_epi32(128);
  for (; i + 8 <= n; i += 8) {
    const __m256i code = _mm256_sub_epi32(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes + i))), middle);
    _mm256_storeu_ps(out + i,
                     _mm256_fmadd_ps(_mm256_cvtepi32_ps(code), unit, _mm256_loadu_ps(centre + i)));
  }
#endif
  for (; i < n; ++i)
    out[i] = fused(static_cast<float>(static_cast<int>(bytes[i]) - 128), scale, centre[i]);
}

}  // namespace kf::KF_LEVEL
