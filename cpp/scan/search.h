#pragma once
// The one scan: chunks of the base pass a filter, survivors get their canonical distance, results
// take them.
//
// A filter says which pairs of a chunk may lie within each query's bound:
//     padded(), begin_chunk(begin, end), thresholds(bounds, out), run(begin, n,
//     thresholds, hits)
// A scorer knows the rows: skips(row), prefetch(row), value(query, row), id(row).
// A result is what one query collects: bound(), knows(row) (no need to look), take(scorer, value,
// row).

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/buffer.h"
#include "core/prefetch.h"
#include "core/threads.h"
#include "kernels/filters.h"
#include "scan/base.h"
#include "scan/distance.h"
#include "scan/head.h"

namespace kf::scan {

// The k-th largest of n numbers, k <= n.
std::int32_t kth_largest(const std::int32_t* sums, std::size_t n, std::size_t k);
// Which of n numbers are no less than this; returns how many.
std::size_t at_least(const std::int32_t* sums, std::size_t n, std::int32_t least,
                     std::uint32_t* where);

// Every pair: for tiny work, where a filter's preparation costs more than it saves.
class NoFilter {
 public:
  static constexpr std::size_t granule = 1, most_chunk = 1024;
  using Threshold = float;
  static constexpr Threshold never = infinity;
  explicit NoFilter(std::size_t nq) : nq_(nq) {}
  std::size_t padded() const { return nq_; }
  void begin_chunk(std::size_t, std::size_t) {}
  void thresholds(const float*, Threshold*) const {}
  std::size_t run(std::size_t, std::size_t n, const Threshold*, std::uint32_t* hits) const {
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
  // Where more than this share of the pairs passes the filter and lies beyond the bound, it is not
  // worth its price: stop. What lies within the bound, any filter lets pass.
  double most_wasted = 1;
  // Rows before this are not looked at: begin is where a block of theirs starts.
  std::size_t first = 0;
  Counts* counts = nullptr;
};

// Scores survivors by the canonical distance of float32 vectors.
class FloatScorer {
 public:
  FloatScorer(const Base& base, Metric metric, const float* queries, std::size_t d)
      : base_(base), queries_(queries), d_(d), distance_(metric, d) {}
  // Rows beyond what is searched: filters report whole blocks.
  bool skips(std::size_t row) const { return row >= base_.n || (base_.alive && !base_.alive[row]); }
  void prefetch(std::size_t row) const {
    prefetch_row(base_.vectors + row * d_, d_ * sizeof(float));
  }
  float value(std::size_t q, std::size_t row) const {
    return distance_(queries_ + q * d_, base_.vectors + row * d_);
  }
  std::int64_t id(std::size_t row) const {
    return base_.ids ? base_.ids[row] : static_cast<std::int64_t>(row);
  }

 private:
  const Base& base_;
  const float* queries_;
  std::size_t d_;
  Distance distance_;
};

// Whose buffers scan_range uses: it is never entered twice by a thread.
struct ScanBounds;
struct ScanScratch;

// Returns the first row that was not looked at: range.end, unless too many pairs passed the filter.
// `results[q]` is what query q collects.
template <class FilterType, class Scorer, class Results>
std::size_t scan_range(FilterType& filter, const Scorer& scorer, std::size_t nq, const Range& range,
                       Results&& results) {
  using Threshold = typename FilterType::Threshold;
  const std::size_t most = FilterType::most_chunk;
  Threshold* thresholds = thread_scratch<Threshold, ScanScratch>(filter.padded());
  std::fill(thresholds, thresholds + filter.padded(), FilterType::never);
  float* bounds = thread_scratch<float, ScanBounds>(2 * nq);
  float* began = bounds + nq;  // those that the filter knew
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
      began[i] = bounds[i];
    }
    filter.thresholds(bounds, thresholds);
    const std::size_t found = filter.run(at, n, thresholds, hits);
    if (range.counts) {
      if constexpr (requires { FilterType::looked; }) range.counts->*FilterType::looked += n * nq;
      range.counts->distances += found;
    }
    constexpr std::size_t ahead = 6;
    std::size_t within = 0;
    for (std::size_t h = 0; h < found; ++h) {
      if (h + ahead < found) scorer.prefetch(at + (hits[h + ahead] & 0xffff));
      const std::size_t q = hits[h] >> 16, row = at + (hits[h] & 0xffff);
      if (row < range.first || row >= range.end || scorer.skips(row) || results[q].knows(row))
        continue;
      const float value = scorer.value(q, row);
      within += value <= began[q];
      if (value <= bounds[q]) {
        results[q].take(scorer, value, row);
        bounds[q] = std::min(bounds[q], results[q].bound());
      }
    }
    at += n;
    chunk = std::min(most, 2 * chunk);
    if (n >= 256 &&
        static_cast<double>(found - within) > range.most_wasted * static_cast<double>(n * nq))
      return at;
  }
  return range.end;
}

// Scans by the first filter; where that lets more than a share of the pairs of a chunk pass for
// nothing, as while the neighbours are not told apart from the crowd yet, by the second for a
// stretch, which doubles as long as that does not change.
template <class First, class Make, class Scorer, class Results>
void scan_in_turns(First& first, const Make& make_second, double most_wasted, const Scorer& scorer,
                   std::size_t nq, Range range, Results&& results) {
  std::optional<decltype(make_second())> second;
  const std::size_t end = range.end;
  std::size_t chunks = 1;
  while (range.begin < end) {
    const std::size_t begin = range.begin;
    range.most_wasted = most_wasted;
    range.begin = scan_range(first, scorer, nq, range, results);
    if (range.begin == end) break;
    if (!second) second.emplace(make_second());
    Range stretch = range;
    chunks = range.begin - begin > First::most_chunk ? 1 : std::min<std::size_t>(2 * chunks, 32);
    stretch.end = std::min(end, range.begin + chunks * First::most_chunk);
    if (stretch.end < end) stretch.end = stretch.end / 32 * 32;
    stretch.most_wasted = 1;
    range.begin = scan_range(*second, scorer, nq, stretch, results);
    range.first_chunk = First::most_chunk;
  }
}

// Whether the level multiplies bytes in hardware, several times as fast as floats.
inline bool bytes_beat_floats() { return kernels<FilterKernels>().products_of_bytes() > 32; }

// Queries from which on what is read is shared by enough of them that arithmetic counts.
inline constexpr std::size_t many_queries = 16;

// Shares of pairs, passed for nothing, above which a filter is not worth its price.
inline constexpr double most_past_bytes = 0.05, most_past_head = 0.06;
// A pair that a head dismisses saves what the other dimensions cost, their products or, where few
// queries share it, memory's five bytes a cycle; one that it lets pass costs a distance: some 100
// cycles.
inline double most_past_head_of_many(std::size_t d, std::size_t queries) {
  const std::size_t rate = std::min(kernels<FilterKernels>().products_of_bytes(), 5 * queries);
  return static_cast<double>(d - Head::dimensions) / static_cast<double>(rate) / 100;
}

}  // namespace kf::scan
