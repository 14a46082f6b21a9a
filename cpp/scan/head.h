#pragma once
// The first rung of a scan: bytes along the few directions in which the rows spread most. Along
// them distances only shrink, and for most rows what is left is too far already: a row costs a
// quarter of its bytes, or less, in memory and in arithmetic.

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "scan/base.h"
#include "scan/byte_filter.h"
#include "scan/directions.h"
#include "scan/shadow.h"

namespace kf::scan {

// Copies share what they have in common, as those of Shadow do.
class Head {
 public:
  static constexpr std::size_t dimensions = 32;
  // Below, rows have too few dimensions, or there are too few of them, to gain anything.
  static constexpr std::size_t least_dimension = 64, least_rows = 1024;

  // The rows (n, d) of a set that lies in two pieces, of which the first may be empty.
  struct Rows {
    const float* earlier;
    std::size_t before;
    const float* x;
    std::size_t n;
    const float* row(std::size_t i, std::size_t d) const {
      return i < before ? earlier + i * d : x + (i - before) * d;
    }
  };
  // Directions and steps, no rows yet, where a sample's pairs say that this pays: few of them lie as
  // near along the directions as its near neighbours do. Inner products are compared by distances,
  // which is of use where norms are alike.
  static std::optional<Head> where_it_pays(const Rows& rows, std::size_t d, Metric metric,
                                           double largest_norm);

  void append(const float* x, std::size_t n);
  void shorten(std::size_t n) { shadow_.shorten(n); }
  void clear() { shadow_.clear(); }
  std::size_t size() const { return shadow_.size(); }
  std::size_t bytes() const { return shadow_.bytes(); }
  Bytes view() const { return shadow_.view(); }
  std::size_t padded_d() const { return shadow_.padded_d(); }

  struct Queries {
    Shadow::Queries codes;
    std::vector<double> norm;  // ||q||, rounded up
  };
  Queries project(const float* queries, std::size_t n) const;

  // The share of the pairs that pass, about, in most of a search for the k nearest of n rows.
  double expected(std::size_t k, std::size_t n) const;

  // How far apart along the directions, squared, a query of this norm and a row within `bound` may
  // seem at most. Infinite for infinite bounds.
  float reach(Metric metric, float bound, double norm, double largest_norm) const;

 private:
  Head(std::shared_ptr<const Directions> directions, std::size_t d)
      : d_(d), directions_(std::move(directions)), shadow_(dimensions, Metric::l2) {}

  std::size_t d_;
  std::shared_ptr<const Directions> directions_;
  Shadow shadow_;
  // Of a sample of so many rows: the share of pairs that pass where the bound is the distance of the
  // neighbour of each rank.
  static constexpr std::size_t ranks[] = {1, 3, 10, 30, 100};
  std::size_t sample_ = 0;
  std::array<double, std::size(ranks)> passed_{};

  double passed_at(double rank) const;
};

// For one group of queries; see ByteFilter.
class HeadFilter {
 public:
  static constexpr std::size_t granule = ByteFilter::granule, most_chunk = ByteFilter::most_chunk;
  using Threshold = ByteFilter::Threshold;
  static constexpr Threshold never = ByteFilter::never;
  static constexpr auto looked = &Counts::along;

  HeadFilter(const Head& head, Metric metric, const Head::Queries& all, std::size_t first,
             std::size_t nq, double largest_norm)
      : head_(head),
        metric_(metric),
        norm_(all.norm.data() + first),
        nq_(nq),
        largest_norm_(largest_norm),
        bytes_(head.view(), Metric::l2, all.codes, first, nq, Head::dimensions, 0) {}

  std::size_t padded() const { return bytes_.padded(); }
  void begin_chunk(std::size_t begin, std::size_t end) { bytes_.begin_chunk(begin, end); }
  void thresholds(const float* bounds, Threshold* out) const;
  std::size_t run(std::size_t begin, std::size_t n, const Threshold* thresholds,
                  std::uint32_t* hits) {
    return bytes_.run(begin, n, thresholds, hits);
  }
  // See ByteFilter: the larger, the nearer along the directions.
  void sums(std::size_t begin, std::size_t n, std::int32_t* out, std::size_t stride) const {
    bytes_.sums(begin, n, out, stride);
  }

 private:
  const Head& head_;
  Metric metric_;
  const double* norm_;
  std::size_t nq_;
  double largest_norm_;
  ByteFilter bytes_;
};

}  // namespace kf::scan
