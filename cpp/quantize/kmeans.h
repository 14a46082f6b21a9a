#pragma once
// The two halves of a Lloyd iteration (Lloyd 1982) and k-means++ seeding (Arthur & Vassilvitskii
// 2007).

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scan/shadow.h"

namespace kf::quantize {

// Points prepared once, assigned many times: their 8-bit copies outlive the centroids of one
// iteration.
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
  const float* points_;
  std::size_t n_, d_;
  scan::Shadow shadow_;
  scan::Shadow::Queries codes_;
};

}  // namespace kf::quantize
