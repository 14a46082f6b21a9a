#include "neighbours/blocks.h"

#include <cmath>
#include <utility>

#include "core/threads.h"
#include "neighbours/bisection.h"

namespace kf::neighbours {

Blocks::Blocks(const Rows& rows, std::uint64_t seed)
    : rows_(rows),
      squared_(Metric::l2, rows.d),
      order_(bisect(rows.x, rows.n, rows.d, size, seed)),
      centres_((rows.n + size - 1) / size * rows.d),
      radius_((rows.n + size - 1) / size),
      least_norm_(radius_.size(), infinity) {
  parallel_for(count(), 1, [&](std::size_t b, std::size_t) { measure(b); });
}

void Blocks::measure(std::size_t b) {
  const std::size_t first = begin(b), last = end(b), d = rows_.d;
  const Distance negated_product(Metric::inner_product, d);
  std::vector<double> sum(d, 0.0);
  for (std::size_t p = first; p < last; ++p)
    for (std::size_t j = 0; j < d; ++j) sum[j] += static_cast<double>(row(p)[j]);
  float* centre = centres_.data() + b * d;
  for (std::size_t j = 0; j < d; ++j)
    centre[j] = static_cast<float>(sum[j] / static_cast<double>(last - first));
  float farthest = 0;
  for (std::size_t p = first; p < last; ++p) {
    farthest = std::max(farthest, squared_(centre, row(p)));
    least_norm_[b] = std::min(least_norm_[b], -negated_product(row(p), row(p)));
  }
  radius_[b] = std::sqrt(static_cast<double>(farthest));
}

bool Blocks::apart(std::size_t a, std::size_t b, double squared) const {
  const double distance = std::sqrt(static_cast<double>(between(a, b)));
  const double spread = radius_[a] + radius_[b];
  // Float32 roots and centres are good for five digits.
  return distance - spread - 1e-5 * (distance + spread + rows_.largest_norm) > std::sqrt(squared);
}

std::vector<std::uint64_t> Blocks::near_pairs(std::size_t nearest, std::size_t threads) const {
  nearest = std::min(nearest, count() - 1);
  std::vector<std::uint64_t> pairs(count() * nearest);
  parallel_for(
      count(), 16,
      [&](std::size_t first, std::size_t last) {
        std::vector<std::pair<float, std::size_t>> others(count());
        for (std::size_t a = first; a < last; ++a) {
          for (std::size_t b = 0; b < count(); ++b)
            others[b] = {b == a ? infinity : between(a, b), b};
          std::partial_sort(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(nearest),
                            others.end());
          for (std::size_t i = 0; i < nearest; ++i) {
            const std::size_t b = others[i].second;
            pairs[a * nearest + i] = std::min(a, b) * count() + std::max(a, b);
          }
        }
      },
      threads);
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  return pairs;
}

}  // namespace kf::neighbours
