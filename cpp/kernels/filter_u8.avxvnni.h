// AVX-VNNI: VPDPBUSD on 256 bits, for processors without AVX-512. Three queries by two blocks of 16
// points: twelve chains of sums hide its latency, and seven loads serve twelve products.

namespace kf::KF_LEVEL {
namespace {

// Four dimensions of each of 8 points: acc += x y. Assembler for the reason that
// filter_u8.avx512icl.h gives.
inline void multiply_add(__m256i& acc, __m256i x, __m256i y) {
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(x), "x"(y));
}

template <int Queries, class Sink>
inline void scan_two_blocks(const std::int8_t* queries, std::uint32_t first,
                            const std::uint8_t* codes, const std::int32_t* bias,
                            std::uint32_t point, std::size_t d, Sink& sink) {
  const auto load = [](const void* at) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(at));
  };
  __m256i sums[Queries][4];
#pragma GCC unroll 3
  for (int q = 0; q < Queries; ++q)
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part) sums[q][part] = load(bias + 8 * part);
  for (std::size_t j = 0; j < d; j += 4, codes += 64) {
    __m256i y[Queries];
#pragma GCC unroll 3
    for (int q = 0; q < Queries; ++q) {
      int four;
      __builtin_memcpy(&four, queries + static_cast<std::size_t>(q) * d + j, sizeof four);
      y[q] = _mm256_set1_epi32(four);
    }
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part) {
      const __m256i x = load(codes + (part < 2 ? 0 : 16 * d) + 32 * (part % 2));
#pragma GCC unroll 3
      for (int q = 0; q < Queries; ++q) multiply_add(sums[q][part], x, y[q]);
    }
  }
#pragma GCC unroll 3
  for (std::uint32_t q = 0; q < Queries; ++q)
#pragma GCC unroll 4
    for (std::uint32_t part = 0; part < 4; ++part)
      sink.take(first + q, point + 8 * part, sums[q][part]);
}

template <class Sink>
inline void scan_bytes(const std::int8_t* queries, std::size_t nq, const std::uint8_t* codes,
                       const std::int32_t* bias, std::size_t blocks, std::size_t d, Sink& sink) {
  for (std::size_t block = 0; block < blocks; block += 2) {
    const std::uint8_t* x = codes + block * 16 * d;
    const auto point = static_cast<std::uint32_t>(16 * block);
    std::size_t q = 0;
    for (; q + 3 <= nq; q += 3)
      scan_two_blocks<3>(queries + q * d, static_cast<std::uint32_t>(q), x, bias + point, point, d,
                         sink);
    for (; q < nq; ++q)
      scan_two_blocks<1>(queries + q * d, static_cast<std::uint32_t>(q), x, bias + point, point, d,
                         sink);
  }
}

}  // namespace
}  // namespace kf::KF_LEVEL
