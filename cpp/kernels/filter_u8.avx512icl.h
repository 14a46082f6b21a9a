// VNNI: VPDPBUSD adds four 8-bit products to a 32-bit lane. Eight queries by two blocks of 16
// points in registers.

namespace kf::KF_LEVEL {
namespace {

struct Hits {
  const std::int32_t* thresholds;
  std::uint32_t* out;
  std::size_t found = 0;

  void take(std::uint32_t query, std::uint32_t point, __m512i sums) {
    unsigned mask = _mm512_cmpge_epi32_mask(sums, _mm512_set1_epi32(thresholds[query]));
    for (; mask; mask &= mask - 1)
      out[found++] = query << 16 | (point + static_cast<std::uint32_t>(__builtin_ctz(mask)));
  }
};

struct PairHits {
  PairBounds<std::int32_t> bounds;
  std::uint32_t* out;
  std::size_t found = 0;

  void take(std::uint32_t query, std::uint32_t point, __m512i sums) {
    const __m512i offset = _mm512_set1_epi32(bounds.query_offsets[query]);
    unsigned mask =
        _mm512_cmpge_epi32_mask(sums, _mm512_set1_epi32(bounds.query_thresholds[query])) |
        _mm512_cmpge_epi32_mask(_mm512_add_epi32(sums, offset),
                                _mm512_loadu_si512(bounds.point_thresholds + point));
    for (; mask; mask &= mask - 1)
      out[found++] = query << 16 | (point + static_cast<std::uint32_t>(__builtin_ctz(mask)));
  }
};

struct Sums {
  std::int32_t* sums;
  std::size_t stride;

  void take(std::uint32_t query, std::uint32_t point, __m512i found) {
    _mm512_storeu_si512(sums + query * stride + point, found);
  }
};

struct Best {
  std::int32_t* best;

  void take(std::uint32_t query, std::uint32_t, __m512i sums) {
    const std::int32_t largest = _mm512_reduce_max_epi32(sums);
    if (largest > best[query]) best[query] = largest;
  }
};

template <int Queries, int Blocks, class Sink>
inline void scan_block(const std::int8_t* queries, std::uint32_t first, const std::uint8_t* codes,
                       const std::int32_t* bias, std::uint32_t point, std::size_t d, Sink& sink) {
  __m512i sums[Queries][Blocks];
  for (int b = 0; b < Blocks; ++b) {
    const __m512i start = _mm512_loadu_si512(bias + 16 * b);
    for (int q = 0; q < Queries; ++q) sums[q][b] = start;
  }
  const std::size_t stride = 16 * d;
  for (std::size_t j = 0; j < d; j += 4) {
    __m512i x[Blocks];
    for (int b = 0; b < Blocks; ++b)
      x[b] = _mm512_loadu_si512(codes + static_cast<std::size_t>(b) * stride + 16 * j);
    for (int q = 0; q < Queries; ++q) {
      int four;
      __builtin_memcpy(&four, queries + static_cast<std::size_t>(q) * d + j, sizeof four);
      const __m512i y = _mm512_set1_epi32(four);
      for (int b = 0; b < Blocks; ++b) sums[q][b] = _mm512_dpbusd_epi32(sums[q][b], x[b], y);
    }
  }
  for (int q = 0; q < Queries; ++q)
    for (int b = 0; b < Blocks; ++b)
      sink.take(first + static_cast<std::uint32_t>(q), point + static_cast<std::uint32_t>(16 * b),
                sums[q][b]);
}

template <class Sink>
inline void scan_vnni(const std::int8_t* queries, std::size_t nq, const std::uint8_t* codes,
                      const std::int32_t* bias, std::size_t blocks, std::size_t d, Sink& sink) {
  for (std::size_t block = 0; block < blocks; block += 2) {
    const std::uint8_t* x = codes + block * 16 * d;
    const auto point = static_cast<std::uint32_t>(16 * block);
    std::size_t q = 0;
    for (; q + 8 <= nq; q += 8)
      scan_block<8, 2>(queries + q * d, static_cast<std::uint32_t>(q), x, bias + point, point, d,
                       sink);
    for (; q + 2 <= nq; q += 2)
      scan_block<2, 2>(queries + q * d, static_cast<std::uint32_t>(q), x, bias + point, point, d,
                       sink);
    if (q < nq)
      scan_block<1, 2>(queries + q * d, static_cast<std::uint32_t>(q), x, bias + point, point, d,
                       sink);
  }
}

}  // namespace
}  // namespace kf::KF_LEVEL
