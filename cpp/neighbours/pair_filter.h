#pragma once
// Filters for pairs of one set of vectors: which pairs may matter to either of the two? Every row
// has a bound, the canonical value (squared distance, or inner product negated) beyond which
// nothing matters to it.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/buffer.h"
#include "core/prefetch.h"
#include "scan/base.h"
#include "scan/distance.h"
#include "scan/shadow.h"

namespace kf::neighbours {

using namespace scan;  // what this room stands on

// Whose values these are.
struct Rows {
  const float* x;  // (n, d)
  std::size_t n, d;
  Metric metric;
  double largest_norm, mean_norm;  // root mean square
};

Rows rows_of(const float* x, std::size_t n, std::size_t d, Metric metric);

// Canonical values of rows.
class PairScorer {
 public:
  explicit PairScorer(const Rows& rows) : rows_(rows), distance_(rows.metric, rows.d) {}
  float operator()(std::size_t a, std::size_t b) const {
    return distance_(rows_.x + a * rows_.d, rows_.x + b * rows_.d);
  }
  void prefetch(std::size_t row) const {
    prefetch_row(rows_.x + row * rows_.d, rows_.d * sizeof(float));
  }

 private:
  Rows rows_;
  Distance distance_;
};

// How far apart, squared, two rows are at most whose canonical value is within a bound. For inner
// products ||x - y||^2 = ||x||^2 + ||y||^2 - 2 <x, y>: near enough where the norms are alike.
struct Reach {
  double factor, constant, least;

  explicit Reach(const Rows& rows) : factor(1 + canonical_error(rows.d)), constant(0) {
    if (rows.metric == Metric::inner_product) {
      factor = 2;
      constant = (2 + 4 * canonical_error(rows.d)) * rows.largest_norm * rows.largest_norm;
    }
    least = vanished(rows.d);
  }
  double squared(float bound) const {
    const double reach = factor * static_cast<double>(bound) + constant;
    return (reach > 0 ? reach : 0) + least;
  }
};

// 8-bit codes a of all rows about one centre. With V = <a, b> - ||a||^2 / 2 - ||b||^2 / 2, which is
// -||a - b||^2 / 2, the triangle inequality says which V a pair within a bound has at least.
class PairBytes {
 public:
  using Threshold = std::int32_t;
  static constexpr Threshold never = std::numeric_limits<Threshold>::max();

  // Place p holds the row order[p]; order may be null. `error`: how far rows.x may lie from what
  // the bounds are for.
  PairBytes(const Rows& rows, const std::uint32_t* order, double error = 0);

  std::size_t padded_d() const { return padded_d_; }
  // The codes of another vector. Returns its bias.
  std::int32_t encode(const float* x, std::int8_t* codes) const;
  const std::int8_t* codes(std::size_t place) const { return codes_.data() + place * padded_d_; }
  // -||a||^2 / 2, rounded up.
  std::int32_t bias(std::size_t place) const { return bias_[place]; }
  // What turns <a, b + 128> + bias(b) into V. The sums with rows that only fill up reach nothing.
  static constexpr std::int32_t hopeless = std::numeric_limits<std::int32_t>::min() / 2;
  std::int32_t offset(std::size_t place) const { return offset_[place]; }
  float residual(std::size_t place) const { return residual_[place]; }

  // The least V of a pair of this place within a squared reach; `other`: the largest residual on
  // the other side. No branches, so that loops over places are vectorized.
  Threshold least(std::size_t place, double squared_reach, double other) const {
    const double reach =
        (std::sqrt(squared_reach) + static_cast<double>(residual_[place]) + other) * inverse_;
    const double value = -reach * reach / 2 * (1 + 1e-12) - 2;
    return static_cast<Threshold>(value > -2147483648.0 ? value : -2147483648.0);
  }

  // How far apart at most a pair with this V is.
  double farthest(std::size_t place, std::int32_t v, double other) const {
    const double squared = 4 - 2 * static_cast<double>(v);
    return std::sqrt(squared > 0 ? squared : 0) / inverse_ * (1 + 1e-12) +
           static_cast<double>(residual_[place]) + other;
  }

 private:
  std::size_t padded_d_;
  double inverse_ = 0;
  Shadow fit_;
  Buffer<std::int8_t> codes_;
  std::vector<std::int32_t> bias_, offset_;
  std::vector<float> residual_;
};

// Puts the codes of one of 16 points where the integer filters look for them: (padded_d / 4, 16,
// 4).
inline void interleave(const std::int8_t* codes, std::size_t padded_d, std::size_t point,
                       std::uint8_t* block) {
  std::uint8_t* out = block + 4 * point;
  for (std::size_t j = 0; j < padded_d; j += 4) {
    std::uint32_t four;
    __builtin_memcpy(&four, codes + j, 4);
    four ^= 0x80808080u;  // + 128
    __builtin_memcpy(out + 16 * j, &four, 4);
  }
}

// The same in float32: V = <x, y> + bias(x) + bias(y), the bias nothing for inner products.
class PairFloats {
 public:
  using Threshold = float;
  static constexpr Threshold never = infinity;

  PairFloats(const Rows& rows, const std::uint32_t* order);

  float bias(std::size_t place) const { return bias_[place]; }
  Threshold least(std::size_t place, float bound) const {
    if (bound == infinity) return -infinity;
    const double value = static_cast<double>(bound);
    const double limit =
        rows_.metric == Metric::l2
            ? -((value > 0 ? value : 0) * (1 + canonical_error(rows_.d)) + vanished(rows_.d)) / 2
            : -value;
    return std::nextafter(static_cast<float>(limit - static_cast<double>(slack_[place])),
                          -infinity);
  }

 private:
  Rows rows_;
  std::vector<float> bias_, slack_;
};

}  // namespace kf::neighbours
