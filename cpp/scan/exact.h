#pragma once
// Exact nearest neighbours: every answer is ranked by the canonical float32 distance of
// kernels/distances.cpp, ties by id. Filters only decide which pairs need it, by bounds that cannot
// dismiss an answer; so the result does not depend on the filter, the level, the batch or the
// threads.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/published.h"
#include "core/shared_rows.h"
#include "scan/search.h"

namespace kf::scan {

enum class Filter {
  automatic,
  u8,    // the 8-bit copy
  f32,   // float32 products
  none,  // every pair by its canonical distance
};

// What belongs to the base vectors besides themselves. Thread-safe: searches take the last whole
// state and wait for nobody; one append at a time makes the next.
class ExactScan {
 public:
  ExactScan(std::size_t d, Metric metric, bool shadow);

  std::size_t dimension() const { return d_; }
  Metric metric() const { return metric_; }
  // What is wholly appended.
  std::size_t size() const { return state_.get()->n; }
  std::size_t shadow_bytes() const;
  // Behind all rows, or behind the first `at`: what stood there is replaced. All or nothing: where
  // it fails, everything is as before.
  void append(const float* x, std::size_t n, std::optional<std::size_t> at = std::nullopt);

  // The k nearest of each query, ascending; +inf and -1 past the end. Inner products come negated.
  void search(const Base& base, const float* queries, std::size_t nq, std::size_t k, Filter filter,
              std::size_t threads, float* distances, std::int64_t* ids) const;

  // All within `radius` (canonical distance <= radius; inner products negated), ascending.
  std::vector<std::vector<Neighbour>> range(const Base& base, const float* queries, std::size_t nq,
                                            float radius, Filter filter, std::size_t threads) const;

 private:
  struct State {
    std::optional<Shadow> shadow;
    SharedRows<float> bias;  // float32 filter: -||x||^2 / 2 (l2) or 0
    std::size_t n = 0;
    double largest_norm = 0;  // ||x||
  };

  std::shared_ptr<State> empty() const;

  template <class Result>
  void scan(const State& state, const Base& base, const float* queries, std::size_t nq,
            Filter filter, std::size_t threads, std::vector<Result>& results) const;

  // Few rows and not so few neighbours: all integer sums first, then only what may be among the k
  // nearest.
  void search_by_sums(const State& state, const Base& base, const float* queries, std::size_t nq,
                      std::size_t k, std::size_t threads, float* distances,
                      std::int64_t* ids) const;

  std::size_t d_;
  Metric metric_;
  bool shadow_;
  Published<State> state_;
  Turn turn_;
};

}  // namespace kf::scan
