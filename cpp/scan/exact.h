#pragma once
// Exact nearest neighbours: every answer is ranked by the canonical float32 distance of
// kernels/distances.cpp, ties by id. Filters only decide which pairs need it, by bounds that cannot
// dismiss an answer; so the result does not depend on the filter, the level, the batch or the
// threads.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "scan/search.h"

namespace kf::scan {

enum class Filter {
  automatic,
  u8,    // the 8-bit copy
  f32,   // float32 products
  none,  // every pair by its canonical distance
};

// What belongs to the base vectors besides themselves. Thread-safe: searches share, append
// excludes.
class ExactScan {
 public:
  ExactScan(std::size_t d, Metric metric, bool shadow);

  std::size_t dimension() const { return d_; }
  Metric metric() const { return metric_; }
  // What is wholly appended. Waits for no lock: whoever appends may wait for Python's, which the
  // caller may hold.
  std::size_t size() const { return n_; }
  std::size_t shadow_bytes() const;
  void append(const float* x, std::size_t n);

  // The k nearest of each query, ascending; +inf and -1 past the end. Inner products come negated.
  void search(const Base& base, const float* queries, std::size_t nq, std::size_t k, Filter filter,
              std::size_t threads, float* distances, std::int64_t* ids) const;

  // All within `radius` (canonical distance <= radius; inner products negated), ascending.
  std::vector<std::vector<Neighbour>> range(const Base& base, const float* queries, std::size_t nq,
                                            float radius, Filter filter, std::size_t threads) const;

 private:
  template <class Result>
  void scan(const Base& base, const float* queries, std::size_t nq, Filter filter,
            std::size_t threads, std::vector<Result>& results) const;

  // Few rows and not so few neighbours: all integer sums first, then only what may be among the k
  // nearest.
  void search_by_sums(const Base& base, const float* queries, std::size_t nq, std::size_t k,
                      std::size_t threads, float* distances, std::int64_t* ids) const;

  std::size_t d_;
  Metric metric_;
  mutable std::shared_mutex mutex_;
  std::unique_ptr<Shadow> shadow_;
  std::vector<float> bias_;  // float32 filter: -||x||^2 / 2 (l2) or 0
  std::atomic<std::size_t> n_ = 0;
  double largest_norm_ = 0;  // ||x||
};

}  // namespace kf::scan
