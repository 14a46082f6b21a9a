#pragma once
// The one scan: chunks of the base pass a filter, survivors get their canonical distance, results
// take them.
//
// A filter says which pairs of a chunk may lie within each query's bound:
//     padded(), begin_chunk(begin, end), thresholds(bounds, out), run(kernels, begin, n,
//     thresholds, hits)
// A scorer knows the rows: skips(row), prefetch(row), value(query, row), id(row).
// A result is what one query collects: bound(), knows(row) (no need to look), take(scorer, value,
// row).

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "core/buffer.h"
#include "core/prefetch.h"
#include "core/threads.h"
#include "core/topk.h"
#include "kernels/filters.h"
#include "kernels/vectors.h"
#include "scan/shadow.h"

namespace kf::scan {

// The vectors that are searched; the caller keeps the arrays.
struct Base {
  const float* vectors;       // (n, d)
  const std::int64_t* ids;    // (n,) or null for row numbers
  const std::uint8_t* alive;  // (n,) 1 where a row may answer, or null for all
  std::size_t n;
};

inline constexpr float infinity = std::numeric_limits<float>::infinity();

// A canonical float32 value lies within this relative distance of the true one: 32 lanes of d / 32
// fused multiply-adds, five levels of the tree, the subtraction (twice: squared), each 2^-24;
// doubled for safety.
inline double canonical_error(std::size_t d) {
  return (static_cast<double>(d) / 32 + 16) * 0x1p-23;
}

// The largest of n norms, row(i) each, with what float32 may have hidden.
template <class Row>
double largest_norm(std::size_t d, std::size_t n, const Row& row) {
  const auto product = kernels<VectorKernels>().inner_product;
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float* x = row(i);
    largest = std::max(largest, static_cast<double>(product(x, x, d)));
  }
  return std::sqrt(largest * (1 + canonical_error(d)));
}

// The 8-bit filter for one group of queries.
class ByteFilter {
 public:
  static constexpr std::size_t granule = 32, most_chunk = Shadow::chunk;
  using Kernels = FilterKernels;
  using Threshold = std::int32_t;
  static constexpr Threshold never = std::numeric_limits<Threshold>::max();

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
  // least of all. No branches, no calls: two queries at a time even where doubles come in pairs.
  void thresholds(const float* bounds, Threshold* out) const {
    const double* constant = all_.constant.data() + first_;
    const double* inverse = all_.inverse.data() + first_;
    const double* residual = all_.residual.data() + first_;
    const double* norm = all_.norm.data() + first_;
    if (metric_ == Metric::l2) {
      const double hidden = vanished(d_);
      if (bytes_.weighted) {
        for (std::size_t i = 0; i < nq_; ++i) {
          const double bound = static_cast<double>(bounds[i]);
          const double reach =
              std::sqrt((bound > 0 ? bound : 0) * (1 + canonical_) + hidden) + residual_;
          out[i] =
              whole(constant[i] - (reach * reach / 2 + residual[i] * bytes_.radius) * inverse[i]);
        }
        return;
      }
      for (std::size_t i = 0; i < nq_; ++i) {
        // ||q^ - x^|| <= ||q - x|| + residuals, squared, in code units.
        const double bound = static_cast<double>(bounds[i]);
        const double reach = (std::sqrt((bound > 0 ? bound : 0) * (1 + canonical_) + hidden) +
                              residual[i] + residual_) *
                             inverse[i];
        out[i] = whole(constant[i] - reach * reach / 2);
      }
      return;
    }
    const double radius = bytes_.radius;
    for (std::size_t i = 0; i < nq_; ++i) {
      // The last term: how far a canonical product may lie from the true one.
      const double margin = residual[i] * radius + norm[i] * residual_ +
                            canonical_ * (norm[i] + residual[i]) * largest_norm_;
      out[i] = whole(constant[i] - (static_cast<double>(bounds[i]) + margin) * inverse[i]);
    }
  }

  std::size_t run(const Kernels& table, std::size_t begin, std::size_t n,
                  const Threshold* thresholds, std::uint32_t* hits) {
    std::int16_t* scratch = thread_scratch<std::int16_t, ByteFilter>(padded() * bytes_.padded_d);
    std::size_t found = 0;
    bytes_.in_parts(begin, n,
                    [&](const std::uint8_t* codes, const std::int32_t* bias, std::size_t at,
                        std::size_t count) {
                      std::uint32_t* own = hits + found;
                      const std::size_t more = table.filter_u8(
                          all_.codes.data() + first_ * bytes_.padded_d, scratch, padded(), codes,
                          bias, (count + 31) / 32 * 2, bytes_.padded_d, thresholds, own);
                      if (at > 0)
                        for (std::size_t h = 0; h < more; ++h)
                          own[h] += static_cast<std::uint32_t>(at);
                      found += more;
                    });
    return found;
  }

  // All integer sums of the points [begin, begin + n), begin a multiple of 32: (padded(), stride),
  // stride at least n rounded up to 32.
  void sums(const Kernels& table, std::size_t begin, std::size_t n, std::int32_t* out,
            std::size_t stride) const {
    std::int16_t* scratch = thread_scratch<std::int16_t, ByteFilter>(padded() * bytes_.padded_d);
    // Tiles take 16 queries, used or not; a few are quicker without.
    bytes_.in_parts(begin, n,
                    [&](const std::uint8_t* codes, const std::int32_t* bias, std::size_t at,
                        std::size_t count) {
                      table.sums_u8(all_.codes.data() + first_ * bytes_.padded_d, scratch,
                                    nq_ < 5 ? nq_ : padded(), codes, bias, (count + 31) / 32 * 2,
                                    bytes_.padded_d, out + at, stride);
                    });
  }

  // What an integer sum says of a canonical inner product of query i: it is within `margin` of
  // (sum - constant) * unit; residuals as of begin_chunk.
  struct Reading {
    double constant, unit, margin;
  };
  Reading reading(std::size_t i) const {
    const std::size_t q = first_ + i;
    // Twice the canonical error: for the rounding of what is computed with these numbers, too.
    const double margin = all_.residual[q] * bytes_.radius + all_.norm[q] * residual_ +
                          2 * canonical_ * (all_.norm[q] + all_.residual[q]) * largest_norm_;
    return {all_.constant[q], 1 / all_.inverse[q], margin};
  }

  // The least sum that passes a threshold.
  static std::int32_t least_sum(Threshold threshold) { return threshold; }

  // What the distance of a point with this integer sum is at most, for query i; residuals as of
  // begin_chunk.
  float most(std::size_t i, std::int32_t sum) const {
    const std::size_t q = first_ + i;
    if (metric_ == Metric::l2) {
      if (bytes_.weighted) {
        // The bias was rounded down by less than one, its terms by next to nothing.
        const double half = (all_.constant[q] - static_cast<double>(sum) + 2) / all_.inverse[q] +
                            all_.residual[q] * bytes_.radius;
        const double reach = std::sqrt(std::max(0.0, 2 * half)) + residual_;
        return std::nextafter(static_cast<float>(reach * reach * (1 + 2 * canonical_)), infinity);
      }
      // The bias was rounded down by up to one half: two sums' worth of slack.
      const double squared = std::max(0.0, 2 * (all_.constant[q] - static_cast<double>(sum) + 1));
      const double reach = std::sqrt(squared) / all_.inverse[q] + all_.residual[q] + residual_;
      const double canonical = reach * reach * (1 + 2 * canonical_) + vanished(d_);
      return std::nextafter(static_cast<float>(canonical), infinity);
    }
    const double margin = all_.residual[q] * bytes_.radius + all_.norm[q] * residual_ +
                          canonical_ * (all_.norm[q] + all_.residual[q]) * largest_norm_;
    const double value = (all_.constant[q] - static_cast<double>(sum)) / all_.inverse[q] + margin;
    return std::nextafter(static_cast<float>(value + std::abs(value) * 1e-6), infinity);
  }

  // For each query an upper bound on its nearest canonical squared distance among the points [0, n)
  // (l2): the largest integer sum is the least ||q^ - x^||, and the residuals bound what it stands
  // for.
  void nearest_bounds(const Kernels& table, std::size_t n, float* bounds) {
    std::vector<std::int32_t> best(padded()), part(padded());
    std::fill(best.begin(), best.end(), std::numeric_limits<std::int32_t>::min());
    std::int16_t* scratch = thread_scratch<std::int16_t, ByteFilter>(padded() * bytes_.padded_d);
    for (std::size_t at = 0; at < n; at += most_chunk)
      bytes_.in_parts(
          at, std::min(most_chunk, n - at),
          [&](const std::uint8_t* codes, const std::int32_t* bias, std::size_t, std::size_t count) {
            table.best_u8(all_.codes.data() + first_ * bytes_.padded_d, scratch, padded(), codes,
                          bias, (count + 31) / 32 * 2, bytes_.padded_d, part.data());
            for (std::size_t i = 0; i < nq_; ++i) best[i] = std::max(best[i], part[i]);
          });
    residual_ = bytes_.residual_of(0, n);
    for (std::size_t i = 0; i < nq_; ++i) bounds[i] = most(i, best[i]);
  }

 private:
  // Rounded down with room for the rounding of the terms; truncation may round up by less than one.
  static Threshold whole(double least) {
    const double safe = least - (least < 0 ? -least : least) * 1e-12 - 2;
    const double low = safe > -2147483648.0 ? safe : -2147483648.0;
    return static_cast<Threshold>(low < 2147483646.0 ? low : 2147483646.0);
  }

  Bytes bytes_;
  const Shadow::Queries& all_;
  Metric metric_;
  std::size_t first_, nq_, d_;
  double canonical_, largest_norm_, residual_ = 0;
};

// The k-th largest of n numbers, k <= n.
inline std::int32_t kth_largest(const FilterKernels& table, const std::int32_t* sums, std::size_t n,
                                std::size_t k) {
  struct Scratch;
  const std::size_t groups = (2 * k + 63) / 64 * 64;
  auto* values = thread_scratch<std::int32_t, Scratch>(n);
  std::size_t count = n;
  if (n >= 4 * groups) {
    // The k-th largest of the groups' maxima is at most what is sought: few numbers reach it.
    table.group_max(sums, n, groups, values);
    std::nth_element(values, values + k - 1, values + groups, std::greater<>());
    auto* where = thread_scratch<std::uint32_t, Scratch>(n);
    count = table.at_least(sums, n, values[k - 1], where);
    for (std::size_t i = 0; i < count; ++i) values[i] = sums[where[i]];
  } else {
    std::copy(sums, sums + n, values);
  }
  std::nth_element(values, values + k - 1, values + count, std::greater<>());
  return values[k - 1];
}

// Thresholds of the float32 filter.
class FloatFilter {
 public:
  static constexpr std::size_t granule = 6, most_chunk = 1536;
  using Kernels = FilterKernels;
  using Threshold = float;
  static constexpr Threshold never = infinity;

  FloatFilter(const float* base, const float* bias, Metric metric, const float* queries,
              std::size_t nq, std::size_t d, double largest_norm)
      : base_(base), bias_(bias), metric_(metric), d_(d), nq_(nq) {
    packed_.resize(padded() * d);
    squared_norm_.resize(nq);
    slack_.resize(nq);
    // Rounding of the product, of the stored half norm and of the sum, each bounded by (d + 8) *
    // 2^-24 of the norms (Higham 2002, eq. 3.5); doubled.
    const double unit = (static_cast<double>(d) + 16) * 0x1p-23;
    for (std::size_t i = 0; i < nq; ++i) {
      double norm = 0;
      for (std::size_t j = 0; j < d; ++j) {
        const float v = queries[i * d + j];
        packed_[i / 16 * 16 * d + 16 * j + i % 16] = v;
        norm += static_cast<double>(v) * static_cast<double>(v);
      }
      squared_norm_[i] = norm;
      slack_[i] =
          unit * (std::sqrt(norm) * largest_norm + largest_norm * largest_norm / 2 + norm / 2);
    }
  }

  std::size_t padded() const { return (nq_ + 15) / 16 * 16; }
  void begin_chunk(std::size_t, std::size_t) {}

  void thresholds(const float* bounds, Threshold* out) const {
    const double canonical = 1 + canonical_error(d_), hidden = vanished(d_);
    for (std::size_t i = 0; i < nq_; ++i) {
      const double bound = static_cast<double>(bounds[i]);
      const double least =
          metric_ == Metric::l2
              ? (squared_norm_[i] - (bound > 0 ? bound : 0) * canonical - hidden) / 2 - slack_[i]
              : -bound - slack_[i];
      out[i] = std::nextafter(static_cast<float>(least), -infinity);
    }
  }

  std::size_t run(const Kernels& kernels, std::size_t begin, std::size_t n,
                  const Threshold* thresholds, std::uint32_t* hits) {
    return kernels.filter_f32(packed_.data(), nq_, base_ + begin * d_, bias_ + begin, n, d_,
                              thresholds, hits);
  }

 private:
  const float* base_;
  const float* bias_;
  Metric metric_;
  std::size_t d_, nq_;
  Buffer<float> packed_;
  std::vector<double> squared_norm_, slack_;
};

// Every pair: for tiny work, where a filter's preparation costs more than it saves.
class NoFilter {
 public:
  static constexpr std::size_t granule = 1, most_chunk = 1024;
  using Kernels = FilterKernels;
  using Threshold = float;
  static constexpr Threshold never = infinity;
  explicit NoFilter(std::size_t nq) : nq_(nq) {}
  std::size_t padded() const { return nq_; }
  void begin_chunk(std::size_t, std::size_t) {}
  void thresholds(const float*, Threshold*) const {}
  std::size_t run(const Kernels&, std::size_t, std::size_t n, const Threshold*,
                  std::uint32_t* hits) const {
    std::size_t found = 0;
    for (std::uint32_t q = 0; q < nq_; ++q)
      for (std::uint32_t i = 0; i < n; ++i) hits[found++] = q << 16 | i;
    return found;
  }

 private:
  std::size_t nq_;
};

// Tells the others a bound, and returns the least that anybody knows.
inline float exchange_bound(std::atomic<float>& shared, float own) {
  float known = shared.load(std::memory_order_relaxed);
  while (own < known && !shared.compare_exchange_weak(known, own, std::memory_order_relaxed)) {
  }
  return std::min(own, known);
}

// One group of queries over some rows of the base.
struct Range {
  std::size_t begin, end;
  std::size_t first_chunk = 64;
  // Bounds that other ranges of the same base have reached, one a query; null where there are none.
  std::atomic<float>* shared = nullptr;
  // Where more than this share of the pairs passes the filter, it is not worth its price: stop.
  double most_hits = 1;
  // Rows before this are not looked at: begin is where a block of theirs starts.
  std::size_t first = 0;
};

// Scores survivors by the canonical distance of float32 vectors.
class FloatScorer {
 public:
  FloatScorer(const Base& base, Metric metric, const float* queries, std::size_t d)
      : base_(base), queries_(queries), d_(d), sign_(metric == Metric::l2 ? 1.0f : -1.0f) {
    distance_ = metric == Metric::l2 ? kernels<VectorKernels>().squared_l2
                                     : kernels<VectorKernels>().inner_product;
  }
  // Rows beyond what is searched: filters report whole blocks.
  bool skips(std::size_t row) const { return row >= base_.n || (base_.alive && !base_.alive[row]); }
  void prefetch(std::size_t row) const {
    prefetch_row(base_.vectors + row * d_, d_ * sizeof(float));
  }
  float value(std::size_t q, std::size_t row) const {
    return sign_ * distance_(queries_ + q * d_, base_.vectors + row * d_, d_);
  }
  std::int64_t id(std::size_t row) const {
    return base_.ids ? base_.ids[row] : static_cast<std::int64_t>(row);
  }

 private:
  const Base& base_;
  const float* queries_;
  std::size_t d_;
  float sign_;
  float (*distance_)(const float*, const float*, std::size_t);
};

// Whose buffers scan_range uses: it is never entered twice by a thread.
struct ScanBounds;
struct ScanScratch;

// Returns the first row that was not looked at: range.end, unless too many pairs passed the filter.
// `results[q]` is what query q collects.
template <class FilterType, class Scorer, class Results>
std::size_t scan_range(FilterType& filter, const Scorer& scorer, std::size_t nq, const Range& range,
                       Results&& results) {
  const auto& table = kernels<typename FilterType::Kernels>();
  using Threshold = typename FilterType::Threshold;
  const std::size_t most = FilterType::most_chunk;
  Threshold* thresholds = thread_scratch<Threshold, ScanScratch>(filter.padded());
  std::fill(thresholds, thresholds + filter.padded(), FilterType::never);
  float* bounds = thread_scratch<float, ScanBounds>(nq);
  std::uint32_t* hits = thread_scratch<std::uint32_t, ScanScratch>(
      filter.padded() * (std::min(most, range.end - range.begin) + 64));
  // Chunks double: the k-th distance tightens as the logarithm of what was seen, and so few points
  // of each chunk survive.
  std::size_t chunk = std::min(most, (range.first_chunk + FilterType::granule - 1) /
                                         FilterType::granule * FilterType::granule);
  for (std::size_t at = range.begin; at < range.end;) {
    if (range.end - range.begin > 8192) poll_interrupt();
    const std::size_t n = std::min(chunk, range.end - at);
    filter.begin_chunk(at, at + n);
    for (std::size_t i = 0; i < nq; ++i) {
      bounds[i] = results[i].bound();
      if (range.shared) bounds[i] = exchange_bound(range.shared[i], bounds[i]);
    }
    filter.thresholds(bounds, thresholds);
    const std::size_t found = filter.run(table, at, n, thresholds, hits);
    constexpr std::size_t ahead = 6;
    for (std::size_t h = 0; h < found; ++h) {
      if (h + ahead < found) scorer.prefetch(at + (hits[h + ahead] & 0xffff));
      const std::size_t q = hits[h] >> 16, row = at + (hits[h] & 0xffff);
      if (row < range.first || row >= range.end || scorer.skips(row) || results[q].knows(row))
        continue;
      const float value = scorer.value(q, row);
      if (value <= bounds[q]) {
        results[q].take(scorer, value, row);
        bounds[q] = std::min(bounds[q], results[q].bound());
      }
    }
    at += n;
    chunk = std::min(most, 2 * chunk);
    if (n >= 256 && static_cast<double>(found) > range.most_hits * static_cast<double>(n * nq))
      return at;
  }
  return range.end;
}

// Queries of one group: they stay in cache while the base streams by, once for each group.
inline constexpr std::size_t most_group = 512;
inline std::size_t group_size(std::size_t bytes_per_query) {
  return std::clamp<std::size_t>((64 << 10) / bytes_per_query, 64, most_group) / 64 * 64;
}

}  // namespace kf::scan
