#pragma once
// The float32 filter: products of blocks against thresholds that no answer can miss.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "scan/base.h"

namespace kf::scan {

// What the filter adds to products with x (n, d): -||x||^2 / 2 (l2) or 0. Returns the largest norm,
// with what float32 may have hidden.
double float_biases(const float* x, std::size_t n, std::size_t d, Metric metric, float* out);

// For one group of queries.
class FloatFilter {
 public:
  static constexpr std::size_t granule = 6, most_chunk = 1536;
  using Threshold = float;
  static constexpr Threshold never = infinity;
  static constexpr auto looked = &Counts::floats;

  FloatFilter(const float* base, const float* bias, Metric metric, const float* queries,
              std::size_t nq, std::size_t d, double largest_norm);

  std::size_t padded() const { return (nq_ + 15) / 16 * 16; }
  void begin_chunk(std::size_t, std::size_t) {}
  void thresholds(const float* bounds, Threshold* out) const;
  std::size_t run(std::size_t begin, std::size_t n, const Threshold* thresholds,
                  std::uint32_t* hits) const;

  // The nearest of the points [0, n) by their sums, for each query, with room for padded(); n < 2^24.
  struct Nearest {
    float* best;
    float* second;
    float* where;
  };
  void nearest(std::size_t n, const Nearest& out) const;
  // Whether no other point's canonical squared distance can be as small, whatever was rounded (l2).
  bool tells(std::size_t i, float best, float second) const;

 private:
  const float* base_;
  const float* bias_;
  Metric metric_;
  std::size_t d_, nq_;
  Buffer<float> packed_;
  std::vector<double> squared_norm_, slack_;
};

}  // namespace kf::scan
