#pragma once
// An 8-bit copy of the base vectors: a filter for exact search, never an answer.
//
// x is stored as scale * (code - 128) + centre with a residual norm of at most `residual` per chunk, so
//     | ||q - x|| - ||q^ - x^|| | <= ||q - q^|| + ||x - x^||        (triangle inequality)
// and what cannot reach the current k-th distance is dismissed by integer arithmetic alone. Whole numbers
// 0..255 (SIFT, image bytes) are copied exactly: their residual is zero.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/buffer.h"

namespace kf::scan {

enum class Metric { l2, inner_product };

class Shadow {
 public:
  // Points of one chunk share a residual bound; a chunk is what one kernel call scans.
  static constexpr std::size_t chunk = 1024;

  Shadow(std::size_t d, Metric metric) : d_(d), metric_(metric) {}

  // Centre and scale are chosen from the first vectors; later ones are clipped, and their residuals say so.
  void append(const float* x, std::size_t n);

  std::size_t size() const { return n_; }
  std::size_t padded_d() const { return padded_d_; }
  const std::uint8_t* codes(std::size_t point) const { return codes_.data() + point * padded_d_; }
  const std::int32_t* bias(std::size_t point) const { return bias_.data() + point; }
  // Largest ||x - x^|| among the points [begin, end).
  float residual(std::size_t begin, std::size_t end) const;
  // Largest ||x - centre||.
  double radius() const { return radius_; }
  double scale() const { return scale_; }
  std::size_t bytes() const;

  // 8-bit queries and what their thresholds need.
  struct Queries {
    std::size_t n = 0, padded_n = 0;
    Buffer<std::int8_t> codes;          // (padded_n, padded_d)
    Buffer<std::int16_t> wide;          // the same numbers
    std::vector<double> squared_norm;   // l2: ||q^||^2 in units of scale^2
    std::vector<double> norm;           // inner product: ||q^||
    std::vector<double> residual;       // ||q - q^||
    std::vector<double> scale;          // units of the product: scale (l2), scale * query scale (inner product)
    std::vector<double> offset;         // inner product: <q, centre>
    std::vector<double> sum;            // 128 * sum of the codes: the base codes carry +128
  };
  Queries quantize(const float* queries, std::size_t n) const;

 private:
  void choose(const float* x, std::size_t n);

  std::size_t d_, n_ = 0, padded_d_ = 0;
  Metric metric_;
  std::vector<float> centre_;
  double scale_ = 0, radius_ = 0;
  Buffer<std::uint8_t> codes_;   // blocks of 16 points: (blocks, padded_d / 4, 16, 4)
  Buffer<std::int32_t> bias_;    // -floor(||x^||^2 / 2) (l2) or 0; hopeless for points that fill up
  std::vector<float> residual_;  // per 32 points
};

}  // namespace kf::scan
