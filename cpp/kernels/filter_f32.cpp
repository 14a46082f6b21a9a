// Float32 filter of exact search: the pairs (query, point) with <query, point> + bias >=
// threshold(query), up to rounding, which the caller's thresholds allow for; or, for a set joined
// with itself, those that matter to either side.
//
// queries     float32, packed (ceil(nq / 16), d, 16): 16 queries side by side
// points      float32 (n, d), as stored; each number is broadcast to 16 queries, so nothing is
//             repacked; n < 65536
// bias        float32 (n,)
// thresholds  float32, one a query, +inf for rows that only fill up
//
// Bound: d fused multiply-adds a pair. 24 accumulators hide the latency of two FMA ports.

#include "kernels/filters.h"
#include "kernels/float_lanes.h"
#include "kernels/pair_bounds.h"
#include "kernels/pairs.h"

namespace kf::KF_LEVEL {
namespace {

// Which lanes of a point's sums reach the thresholds; lanes are the queries from `first` on.
struct Thresholds {
  const float* thresholds;
  unsigned test(Lanes sums, std::size_t first, std::size_t) const {
    return at_least(sums, load(thresholds + first));
  }
};
struct EitherSide {
  PairBounds<float> bounds;
  unsigned test(Lanes sums, std::size_t first, std::size_t point) const {
    return at_least(
        add(sums, load(bounds.query_offsets + first)),
        smaller(load(bounds.query_thresholds + first), splat(bounds.point_thresholds[point])));
  }
};

template <int Points, int Groups, class Test>
inline std::size_t scan_block(const float* const* queries, std::uint32_t first, const float* points,
                              const float* bias, std::uint32_t point, std::size_t d,
                              const Test& test, std::uint32_t* hits) {
  Lanes sums[Points][Groups];
  add_products(queries, points, bias, d, sums);
  std::size_t found = 0;
  for (int g = 0; g < Groups; ++g) {
    const std::uint32_t query = first + static_cast<std::uint32_t>(width * g);
    for (int p = 0; p < Points; ++p) {
      const std::uint32_t at = point + static_cast<std::uint32_t>(p);
      for (unsigned mask = test.test(sums[p][g], query, at); mask; mask &= mask - 1)
        hits[found++] = (query + static_cast<std::uint32_t>(__builtin_ctz(mask))) << 16 | at;
    }
  }
  return found;
}

template <int Groups, class Test>
inline std::size_t scan_points(const float* const* queries, std::uint32_t first,
                               const float* points, const float* bias, std::size_t n, std::size_t d,
                               const Test& test, std::uint32_t* hits) {
  std::size_t found = 0, i = 0;
  for (; i + most_points <= n; i += most_points)
    found += scan_block<most_points, Groups>(queries, first, points + i * d, bias + i,
                                             static_cast<std::uint32_t>(i), d, test, hits + found);
  for (; i < n; ++i)
    found += scan_block<1, Groups>(queries, first, points + i * d, bias + i,
                                   static_cast<std::uint32_t>(i), d, test, hits + found);
  return found;
}

template <class Test>
inline std::size_t scan(const float* queries, std::size_t nq, const float* points,
                        const float* bias, std::size_t n, std::size_t d, const Test& test,
                        std::uint32_t* hits) {
  const std::size_t vectors = (nq + 15) / 16 * 16 / width;
  std::size_t found = 0;
  for (std::size_t v = 0; v < vectors; v += most_lanes) {
    const float* groups[most_lanes];
    int count = 0;
    for (; count < most_lanes && v + static_cast<std::size_t>(count) < vectors; ++count) {
      groups[count] = packed(queries, (v + static_cast<std::size_t>(count)) * width, d);
    }
    const auto first = static_cast<std::uint32_t>(v * width);
    if (count == most_lanes) {
      found += scan_points<most_lanes>(groups, first, points, bias, n, d, test, hits + found);
      continue;
    }
    int g = 0;
    for (; g + 2 <= count; g += 2)
      found += scan_points<2>(groups + g, first + static_cast<std::uint32_t>(width * g), points,
                              bias, n, d, test, hits + found);
    if (g < count)
      found += scan_points<1>(groups + g, first + static_cast<std::uint32_t>(width * g), points,
                              bias, n, d, test, hits + found);
  }
  return found;
}

}  // namespace

std::size_t filter_f32(const float* queries, std::size_t nq, const float* points, const float* bias,
                       std::size_t n, std::size_t d, const float* thresholds, std::uint32_t* hits) {
  return scan(queries, nq, points, bias, n, d, Thresholds{thresholds}, hits);
}

std::size_t filter_pairs_f32(const float* queries, std::size_t nq, const float* points,
                             const float* bias, std::size_t n, std::size_t d,
                             const float* query_thresholds, const float* query_offsets,
                             const float* point_thresholds, std::uint32_t* hits) {
  const EitherSide test{{query_thresholds, query_offsets, point_thresholds}};
  return scan(queries, nq, points, bias, n, d, test, hits);
}

}  // namespace kf::KF_LEVEL
