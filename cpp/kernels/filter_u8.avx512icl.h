// VNNI: VPDPBUSD adds four 8-bit products to a 32-bit lane. Four queries by four blocks of 16
// points in registers: 16 chains of sums hide its latency, and a load serves four products.

namespace kf::KF_LEVEL {
namespace {

// Four points of each of 16: acc += x y. The intrinsic makes GCC (12 to 14) copy every accumulator
// at every step.
inline void multiply_add(__m512i& acc, __m512i x, __m512i y) {
  asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(y));
}

// Masks of blocks of 16 points side by side.
template <int Blocks>
inline std::uint64_t joined(const __mmask16 (&masks)[Blocks]) {
  static_assert(Blocks == 2 || Blocks == 4);
  const __mmask32 low = _mm512_kunpackw(masks[1], masks[0]);
  if constexpr (Blocks == 2)
    return low;
  else
    return _mm512_kunpackd(_mm512_kunpackw(masks[3], masks[2]), low);
}

inline void report(std::uint64_t mask, std::uint32_t query, std::uint32_t point, std::uint32_t* out,
                   std::size_t& found) {
  for (; mask; mask &= mask - 1)
    out[found++] = query << 16 | (point + static_cast<std::uint32_t>(__builtin_ctzll(mask)));
}

// What becomes of the sums of one query with some blocks of points.
struct Hits {
  const std::int32_t* thresholds;
  std::uint32_t* out;
  std::size_t found = 0;

  template <int Blocks>
  void take(std::uint32_t query, std::uint32_t point, const __m512i (&sums)[Blocks]) {
    const __m512i threshold = _mm512_set1_epi32(thresholds[query]);
    __mmask16 masks[Blocks];
#pragma GCC unroll 4
    for (int b = 0; b < Blocks; ++b) masks[b] = _mm512_cmpge_epi32_mask(sums[b], threshold);
    report(joined(masks), query, point, out, found);
  }
};

struct PairHits {
  PairBounds<std::int32_t> bounds;
  std::uint32_t* out;
  std::size_t found = 0;

  template <int Blocks>
  void take(std::uint32_t query, std::uint32_t point, const __m512i (&sums)[Blocks]) {
    const __m512i offset = _mm512_set1_epi32(bounds.query_offsets[query]),
                  threshold = _mm512_set1_epi32(bounds.query_thresholds[query]);
    __mmask16 masks[Blocks];
#pragma GCC unroll 4
    for (int b = 0; b < Blocks; ++b)
      masks[b] = _mm512_cmpge_epi32_mask(
          _mm512_add_epi32(sums[b], offset),
          _mm512_min_epi32(threshold,
                           _mm512_loadu_si512(bounds.point_thresholds + point + 16 * b)));
    report(joined(masks), query, point, out, found);
  }
};

struct Sums {
  std::int32_t* sums;
  std::size_t stride;

  template <int Blocks>
  void take(std::uint32_t query, std::uint32_t point, const __m512i (&found)[Blocks]) {
#pragma GCC unroll 4
    for (int b = 0; b < Blocks; ++b)
      _mm512_storeu_si512(sums + query * stride + point + 16 * b, found[b]);
  }
};

struct Best {
  std::int32_t* best;

  template <int Blocks>
  void take(std::uint32_t query, std::uint32_t, const __m512i (&sums)[Blocks]) {
    __m512i most = sums[0];
#pragma GCC unroll 4
    for (int b = 1; b < Blocks; ++b) most = _mm512_max_epi32(most, sums[b]);
    const std::int32_t largest = _mm512_reduce_max_epi32(most);
    if (largest > best[query]) best[query] = largest;
  }
};

template <int Queries, int Blocks, class Sink>
inline void scan_block(const std::int8_t* queries, std::uint32_t first, const std::uint8_t* codes,
                       const std::int32_t* bias, std::uint32_t point, std::size_t d, Sink& sink) {
  __m512i sums[Queries][Blocks];
#pragma GCC unroll 8
  for (int q = 0; q < Queries; ++q)
#pragma GCC unroll 4
    for (int b = 0; b < Blocks; ++b) sums[q][b] = _mm512_loadu_si512(bias + 16 * b);
  const std::size_t stride = 16 * d;
  for (std::size_t j = 0; j < d; j += 4) {
    __m512i x[Blocks];
#pragma GCC unroll 4
    for (int b = 0; b < Blocks; ++b)
      x[b] = _mm512_loadu_si512(codes + static_cast<std::size_t>(b) * stride + 16 * j);
#pragma GCC unroll 8
    for (int q = 0; q < Queries; ++q) {
      int four;
      __builtin_memcpy(&four, queries + static_cast<std::size_t>(q) * d + j, sizeof four);
      const __m512i y = _mm512_set1_epi32(four);
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) multiply_add(sums[q][b], x[b], y);
    }
  }
#pragma GCC unroll 8
  for (int q = 0; q < Queries; ++q)
    sink.take(first + static_cast<std::uint32_t>(q), point, sums[q]);
}

// `Most` queries at a time, then fewer.
template <int Most, int Blocks, class Sink>
inline void scan_queries(const std::int8_t* queries, std::size_t nq, const std::uint8_t* codes,
                         const std::int32_t* bias, std::uint32_t point, std::size_t d, Sink& sink) {
  std::size_t q = 0;
  for (; q + Most <= nq; q += Most)
    scan_block<Most, Blocks>(queries + q * d, static_cast<std::uint32_t>(q), codes, bias, point, d,
                             sink);
  for (; q + 2 <= nq; q += 2)
    scan_block<2, Blocks>(queries + q * d, static_cast<std::uint32_t>(q), codes, bias, point, d,
                          sink);
  if (q < nq)
    scan_block<1, Blocks>(queries + q * d, static_cast<std::uint32_t>(q), codes, bias, point, d,
                          sink);
}

template <class Sink>
inline void scan_bytes(const std::int8_t* queries, std::size_t nq, const std::uint8_t* codes,
                       const std::int32_t* bias, std::size_t blocks, std::size_t d, Sink& sink) {
  std::size_t block = 0;
  const auto point = [&] { return static_cast<std::uint32_t>(16 * block); };
  for (; block + 4 <= blocks; block += 4)
    scan_queries<4, 4>(queries, nq, codes + block * 16 * d, bias + point(), point(), d, sink);
  for (; block < blocks; block += 2)
    scan_queries<8, 2>(queries, nq, codes + block * 16 * d, bias + point(), point(), d, sink);
}

// The sum of one pair of rows, both signed.
inline std::int32_t product(const std::int8_t* query, const std::int8_t* row, std::size_t d) {
  const __m512i flip = _mm512_set1_epi8(-128);
  __m512i sum = _mm512_setzero_si512();
  for (std::size_t j = 0; j < d; j += 64) {
    const __mmask64 mask = d - j < 64 ? (std::uint64_t{1} << (d - j)) - 1 : ~std::uint64_t{0};
    multiply_add(sum, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, row + j), flip),
                 _mm512_maskz_loadu_epi8(mask, query + j));
  }
  return _mm512_reduce_add_epi32(sum);
}

}  // namespace
}  // namespace kf::KF_LEVEL
