#pragma once
// The rows of a set in an order in which near ones stand together, cut into blocks.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "neighbours/pair_filter.h"

namespace kf::neighbours {

class Blocks {
 public:
  static constexpr std::size_t size = 512;

  // rows.x stays with the caller. Other seeds give other blocks.
  Blocks(const Rows& rows, std::uint64_t seed);

  const Rows& rows() const { return rows_; }
  std::size_t count() const { return radius_.size(); }
  std::size_t begin(std::size_t b) const { return b * size; }
  std::size_t end(std::size_t b) const { return std::min(rows_.n, (b + 1) * size); }
  // The row at each place.
  const std::vector<std::uint32_t>& order() const { return order_; }
  const float* row(std::size_t place) const { return rows_.x + order_[place] * rows_.d; }

  // Means (count, d).
  const float* centres() const { return centres_.data(); }
  // Squared.
  float least_norm(std::size_t b) const { return least_norm_[b]; }
  // Whether no pair of two blocks is within this squared distance.
  bool apart(std::size_t a, std::size_t b, double squared) const;
  // Pairs of blocks a < b, as a * count + b ascending, of which either is among the nearest of the
  // other.
  std::vector<std::uint64_t> near_pairs(std::size_t nearest, std::size_t threads) const;

 private:
  void measure(std::size_t b);
  float between(std::size_t a, std::size_t b) const {
    return squared_(centres() + a * rows_.d, centres() + b * rows_.d);
  }

  Rows rows_;
  Distance squared_;
  std::vector<std::uint32_t> order_;
  std::vector<float> centres_;
  std::vector<double> radius_;
  std::vector<float> least_norm_;
};

}  // namespace kf::neighbours
