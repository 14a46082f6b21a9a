#pragma once
// Exact nearest neighbours: every answer is ranked by the canonical float32 distance of
// kernels/distances.cpp, ties by id. Filters only decide which pairs need it, by bounds that cannot
// dismiss an answer; so the result does not depend on the filter, the level, the batch or the
// threads.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/topk.h"
#include "scan/base.h"
#include "scan/growing.h"

namespace kf::scan {

enum class Filter {
  automatic,
  head,  // 8-bit copies along a few directions, where the index keeps them
  u8,    // the 8-bit copy
  f32,   // float32 products
  none,  // every pair by its canonical distance
};

class ExactScan : public Growing {
 public:
  ExactScan(std::size_t d, Metric metric, bool shadow) : Growing(d, metric, shadow, true) {}

  std::size_t shadow_bytes() const;
  bool has_head() const { return now()->head.has_value(); }
  // Of all searches so far.
  Counts counts() const;

  // The k nearest of each query, ascending; +inf and -1 past the end. Inner products come negated.
  void search(const Base& base, const float* queries, std::size_t nq, std::size_t k, Filter filter,
              std::size_t threads, float* distances, std::int64_t* ids) const;

  // All within `radius` (canonical distance <= radius; inner products negated), ascending.
  std::vector<std::vector<Neighbour>> range(const Base& base, const float* queries, std::size_t nq,
                                            float radius, Filter filter, std::size_t threads) const;

 private:
  void count(const Counts& some) const;

  // results: nothing yet, alike for all queries.
  void scan(const State& state, const Base& base, const float* queries, std::size_t nq,
            Filter filter, std::size_t threads, std::vector<TopK>& results) const;

  // Few rows and not so few neighbours: all integer sums first, then only what may be among the k
  // nearest.
  void search_by_sums(const State& state, const Base& base, const float* queries, std::size_t nq,
                      std::size_t k, std::size_t threads, float* distances,
                      std::int64_t* ids) const;

  mutable std::atomic<std::uint64_t> along_{0}, bytes_{0}, floats_{0}, distances_{0};
};

}  // namespace kf::scan
