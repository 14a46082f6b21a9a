// The point of the largest product with each query, the product, and the next largest:
//     best[q] = max_p <query, point> + bias,  where[q] = the first such p,  second[q] = the largest of the others
// queries, points and bias as in filter_f32.cpp; n < 2^24. Of rows of queries that only fill up, too.
//
// Bound: d fused multiply-adds a pair; five more instructions keep the two best.

#include "kernels/filters.h"
#include "kernels/float_lanes.h"

namespace kf::KF_LEVEL {
namespace {

struct TwoBest {
  float *best, *second, *where;
};

template <int Points, int Groups>
inline void nearest_block(const float* const* queries, const float* points, const float* bias,
                          std::size_t point, std::size_t d, const TwoBest& out) {
  Lanes sums[Points][Groups];
  add_products(queries, points, bias, d, sums);
  for (int g = 0; g < Groups; ++g) {
    const std::size_t at = static_cast<std::size_t>(width * g);
    Lanes best = load(out.best + at), second = load(out.second + at), where = load(out.where + at);
    for (int p = 0; p < Points; ++p) {
      const Lanes sum = sums[p][g];
      where = where_larger(sum, best,
                           splat(static_cast<float>(point + static_cast<std::size_t>(p))), where);
      second = larger(second, smaller(best, sum));
      best = larger(best, sum);
    }
    store(out.best + at, best);
    store(out.second + at, second);
    store(out.where + at, where);
  }
}

// Of the queries from `first` on, which lie side by side.
template <int Groups>
inline void nearest_points(const float* queries, std::size_t first, const float* points,
                           const float* bias, std::size_t n, std::size_t d, const TwoBest& all) {
  const float* groups[Groups];
  for (int g = 0; g < Groups; ++g)
    groups[g] = packed(queries, first + static_cast<std::size_t>(width * g), d);
  const TwoBest out{all.best + first, all.second + first, all.where + first};
  std::size_t i = 0;
  for (; i + most_points <= n; i += most_points)
    nearest_block<most_points, Groups>(groups, points + i * d, bias + i, i, d, out);
  for (; i < n; ++i) nearest_block<1, Groups>(groups, points + i * d, bias + i, i, d, out);
}

}  // namespace

void nearest_f32(const float* queries, std::size_t nq, const float* points, const float* bias,
                 std::size_t n, std::size_t d, float* best, float* second, float* where) {
  const std::size_t padded = (nq + 15) / 16 * 16;
  for (std::size_t q = 0; q < padded; ++q) {
    best[q] = second[q] = -__builtin_inff();
    where[q] = 0;
  }
  const TwoBest out{best, second, where};
  std::size_t q = 0;
  for (; q + width * most_lanes <= padded; q += width * most_lanes)
    nearest_points<most_lanes>(queries, q, points, bias, n, d, out);
  for (; q < padded; q += width) nearest_points<1>(queries, q, points, bias, n, d, out);
}

}  // namespace kf::KF_LEVEL
