// SDOT adds four signed products to a 32-bit lane; codes are unsigned, so 128 is taken from them and
// given back as 128 times the sum of the query. Four queries by one block of 16 points: sixteen
// chains of sums, and four of the query's groups of dimensions come with one load.

namespace kf::KF_LEVEL {
namespace {

using Points16 = int32x4_t[4];

// Which of 16 lanes are all ones: four bits each.
inline std::uint64_t nibbles(const uint32x4_t (&lanes)[4]) {
  const uint16x8_t low = vcombine_u16(vmovn_u32(lanes[0]), vmovn_u32(lanes[1])),
                   high = vcombine_u16(vmovn_u32(lanes[2]), vmovn_u32(lanes[3]));
  const uint8x16_t bytes = vcombine_u8(vmovn_u16(low), vmovn_u16(high));
  return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(bytes), 4)), 0);
}

inline void report(std::uint64_t mask, std::uint32_t query, std::uint32_t point, std::uint32_t* out,
                   std::size_t& found) {
  for (mask &= 0x1111111111111111u; mask; mask &= mask - 1)
    out[found++] = query << 16 | (point + static_cast<std::uint32_t>(__builtin_ctzll(mask)) / 4);
}

struct Hits {
  const std::int32_t* thresholds;
  std::uint32_t* out;
  std::size_t found = 0;

  void take(std::uint32_t query, std::uint32_t point, const Points16& sums) {
    const int32x4_t threshold = vdupq_n_s32(thresholds[query]);
    uint32x4_t reached[4];
    for (int p = 0; p < 4; ++p) reached[p] = vcgeq_s32(sums[p], threshold);
    report(nibbles(reached), query, point, out, found);
  }
};

struct PairHits {
  PairBounds<std::int32_t> bounds;
  std::uint32_t* out;
  std::size_t found = 0;

  void take(std::uint32_t query, std::uint32_t point, const Points16& sums) {
    const int32x4_t threshold = vdupq_n_s32(bounds.query_thresholds[query]),
                    offset = vdupq_n_s32(bounds.query_offsets[query]);
    uint32x4_t reached[4];
    for (int p = 0; p < 4; ++p) {
      const int32x4_t points = vld1q_s32(bounds.point_thresholds + point + 4 * p);
      reached[p] = vcgeq_s32(vaddq_s32(sums[p], offset), vminq_s32(points, threshold));
    }
    report(nibbles(reached), query, point, out, found);
  }
};

struct Sums {
  std::int32_t* sums;
  std::size_t stride;

  void take(std::uint32_t query, std::uint32_t point, const Points16& found) {
    for (int p = 0; p < 4; ++p) vst1q_s32(sums + query * stride + point + 4 * p, found[p]);
  }
};

struct Best {
  std::int32_t* best;

  void take(std::uint32_t query, std::uint32_t, const Points16& sums) {
    const std::int32_t largest =
        vmaxvq_s32(vmaxq_s32(vmaxq_s32(sums[0], sums[1]), vmaxq_s32(sums[2], sums[3])));
    if (largest > best[query]) best[query] = largest;
  }
};

// Four dimensions of 16 points, 128 taken off.
inline void load_points(const std::uint8_t* codes, int8x16_t (&x)[4]) {
  const uint8x16_t flip = vdupq_n_u8(128);
  for (int p = 0; p < 4; ++p) x[p] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes + 16 * p), flip));
}

template <int Queries, class Sink>
inline void scan_block(const std::int8_t* queries, const std::int32_t* added, std::uint32_t first,
                       const std::uint8_t* codes, const std::int32_t* bias, std::uint32_t point,
                       std::size_t d, Sink& sink) {
  Points16 sums[Queries];
  for (int q = 0; q < Queries; ++q)
    for (int p = 0; p < 4; ++p)
      sums[q][p] = vaddq_s32(vld1q_s32(bias + 4 * p), vdupq_n_s32(added[q]));
  int8x16_t x[4], y[Queries];
  // Four of sixteen dimensions.
  const auto add = [&]<int Group>() {
    load_points(codes + 64 * Group, x);
    for (int q = 0; q < Queries; ++q)
      for (int p = 0; p < 4; ++p) sums[q][p] = vdotq_laneq_s32(sums[q][p], x[p], y[q], Group);
  };
  std::size_t j = 0;
  for (; j + 16 <= d; j += 16, codes += 256) {
    for (int q = 0; q < Queries; ++q)
      y[q] = vld1q_s8(queries + static_cast<std::size_t>(q) * d + j);
    add.template operator()<0>();
    add.template operator()<1>();
    add.template operator()<2>();
    add.template operator()<3>();
  }
  for (; j < d; j += 4, codes += 64) {
    load_points(codes, x);
    for (int q = 0; q < Queries; ++q) {
      std::int32_t four;
      __builtin_memcpy(&four, queries + static_cast<std::size_t>(q) * d + j, sizeof four);
      y[q] = vreinterpretq_s8_s32(vdupq_n_s32(four));
      for (int p = 0; p < 4; ++p) sums[q][p] = vdotq_s32(sums[q][p], x[p], y[q]);
    }
  }
  for (int q = 0; q < Queries; ++q)
    sink.take(first + static_cast<std::uint32_t>(q), point, sums[q]);
}

// 128 times the sum of a query.
inline std::int32_t lost(const std::int8_t* query, std::size_t d) {
  std::int32_t sum = 0;
  for (std::size_t j = 0; j < d; ++j) sum += query[j];
  return 128 * sum;
}

// `scratch` takes an int32 a query: at least four dimensions leave it room.
template <class Sink>
inline void scan_bytes(const std::int8_t* queries, std::int16_t* scratch, std::size_t nq,
                       const std::uint8_t* codes, const std::int32_t* bias, std::size_t blocks,
                       std::size_t d, Sink& sink) {
  auto* added = reinterpret_cast<std::int32_t*>(scratch);
  for (std::size_t q = 0; q < nq; ++q) added[q] = lost(queries + q * d, d);
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::uint8_t* x = codes + block * 16 * d;
    const auto point = static_cast<std::uint32_t>(16 * block);
    std::size_t q = 0;
    for (; q + 4 <= nq; q += 4)
      scan_block<4>(queries + q * d, added + q, static_cast<std::uint32_t>(q), x, bias + point,
                    point, d, sink);
    for (; q < nq; ++q)
      scan_block<1>(queries + q * d, added + q, static_cast<std::uint32_t>(q), x, bias + point,
                    point, d, sink);
  }
}

// The sum of one pair of rows, both signed.
inline std::int32_t product(const std::int8_t* query, const std::int8_t* row, std::size_t d) {
  int32x4_t sum = vdupq_n_s32(0);
  std::size_t j = 0;
  for (; j + 16 <= d; j += 16) sum = vdotq_s32(sum, vld1q_s8(row + j), vld1q_s8(query + j));
  std::int32_t total = vaddvq_s32(sum) + lost(query, d);
  for (; j < d; ++j) total += query[j] * row[j];
  return total;
}

}  // namespace
}  // namespace kf::KF_LEVEL
