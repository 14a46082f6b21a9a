#pragma once
// The two halves of a Lloyd iteration (Lloyd 1982) and k-means++ seeding (Arthur & Vassilvitskii
// 2007).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/buffer.h"
#include "scan/head.h"
#include "scan/shadow.h"

namespace kf::quantize {

// Points prepared once, assigned many times: what filters know of them outlives the centroids of one
// iteration. Where the level multiplies bytes in hardware they are compared in 8 bits; elsewhere
// along a few directions first, or by float32 products.
class Clustering {
 public:
  // Keeps the pointer: points (n, d) must outlive the object.
  Clustering(const float* points, std::size_t n, std::size_t d);

  std::size_t size() const { return n_; }
  std::size_t dimension() const { return d_; }

  // Nearest centroid of each point, exactly: canonical squared distance, ties to the smaller
  // number. Where `warm`, labels holds an earlier assignment, whose distance is the first bound.
  void assign(const float* centroids, std::size_t k, bool warm, std::int64_t* labels,
              float* distances);

  // Means of the labelled points, summed in float64 in the order of the points; counts (k,).
  // The centroid of an empty cell is left as it is.
  void update(const std::int64_t* labels, std::size_t k, float* centroids,
              std::int64_t* counts) const;

  // Row numbers of k points drawn with probability proportional to weight * squared distance to the
  // nearest drawn before. weights may be null.
  std::vector<std::int64_t> seed(std::size_t k, const double* weights, std::uint64_t seed) const;

 private:
  struct Centroids;
  struct Nearest;

  // Of the points [first, first + count); warm where `nearest` knows one of each.
  void by_bytes(const Centroids& centroids, std::size_t first, std::size_t count, bool warm,
                Nearest* nearest) const;
  void by_head(const Centroids& centroids, std::size_t first, std::size_t count, bool warm,
               Nearest* nearest) const;
  void by_floats(const Centroids& centroids, std::size_t first, std::size_t count,
                 Nearest* nearest) const;

  const float* points_;
  std::size_t n_, d_;
  bool bytes_, sound_;
  scan::Shadow shadow_;
  scan::Shadow::Queries codes_;
  std::optional<scan::Head> head_;
  scan::Head::Queries along_;
};

}  // namespace kf::quantize
