#pragma once
// The 8-bit filter: integer sums of codes against thresholds that no answer can miss.

#include <cstddef>
#include <cstdint>
#include <limits>

#include "scan/base.h"
#include "scan/shadow.h"

namespace kf::scan {

// For one group of queries.
class ByteFilter {
 public:
  static constexpr std::size_t granule = 32, most_chunk = Shadow::chunk;
  using Threshold = std::int32_t;
  static constexpr Threshold never = std::numeric_limits<Threshold>::max();
  static constexpr auto looked = &Counts::bytes;

  // The group is the queries [first, first + nq) of `all`; first a multiple of 16.
  ByteFilter(const Bytes& bytes, Metric metric, const Shadow::Queries& all, std::size_t first,
             std::size_t nq, std::size_t d, double largest_norm)
      : bytes_(bytes),
        all_(all),
        metric_(metric),
        first_(first),
        nq_(nq),
        d_(d),
        canonical_(canonical_error(d)),
        largest_norm_(largest_norm) {}

  std::size_t padded() const { return (nq_ + 15) / 16 * 16; }
  void begin_chunk(std::size_t begin, std::size_t end) {
    residual_ = bytes_.residual_of(begin, end);
  }

  // The least integer sum that a point within each query's bound can have. Infinite bounds give the
  // least of all.
  void thresholds(const float* bounds, Threshold* out) const;
  std::size_t run(std::size_t begin, std::size_t n, const Threshold* thresholds,
                  std::uint32_t* hits);

  // All integer sums of the points [begin, begin + n), begin a multiple of 32: (padded(), stride),
  // stride at least n rounded up to 32.
  void sums(std::size_t begin, std::size_t n, std::int32_t* out, std::size_t stride) const;

  // What an integer sum says of a canonical inner product of query i: it is within `margin` of
  // (sum - constant) * unit; residuals as of begin_chunk.
  struct Reading {
    double constant, unit, margin;
  };
  Reading reading(std::size_t i) const;

  // The least sum that passes a threshold.
  static std::int32_t least_sum(Threshold threshold) { return threshold; }

  // What the distance of a point with this integer sum is at most, for query i; residuals as of
  // begin_chunk.
  float most(std::size_t i, std::int32_t sum) const;

  // For each query an upper bound on its nearest canonical squared distance among the points [0, n)
  // (l2): the largest integer sum is the least ||q^ - x^||, and the residuals bound what it stands
  // for.
  void nearest_bounds(std::size_t n, float* bounds);

 private:
  const std::int8_t* codes() const { return all_.codes.data() + first_ * bytes_.padded_d; }
  std::int16_t* scratch() const;
  // How far a canonical inner product may lie from what codes say, its own error taken `times`.
  double margin(std::size_t q, double times) const;

  Bytes bytes_;
  const Shadow::Queries& all_;
  Metric metric_;
  std::size_t first_, nq_, d_;
  double canonical_, largest_norm_, residual_ = 0;
};

}  // namespace kf::scan
