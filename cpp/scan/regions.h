#pragma once
// Items of several vectors each, compared with a query of several, region by region: for each of
// the query's vectors the largest inner product with one of the item's. Their mean is the
// similarity of Razavian, Sullivan, Carlsson & Maki (2014, section 3); the largest of all is the
// other.
//
// Products are the canonical ones of kernels/distances.cpp, their sum is taken in double precision
// in the query's order. An 8-bit copy decides which of them are needed, by bounds that cannot
// dismiss a largest one; so the result depends neither on it nor on level or threads.
// Bound: d 8-bit multiply-adds a pair of regions.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "scan/base.h"
#include "scan/growing.h"

namespace kf::scan {

enum class Match {
  mean,  // of the query's regions, each with its best
  best,  // of all pairs
};

// Item i has the vectors [starts[i], starts[i + 1]), at least one; the caller keeps the arrays.
struct Items {
  const float* vectors;        // (starts[n], d)
  const std::int64_t* starts;  // (n + 1,)
  std::size_t n;
};

class RegionScan : public Growing {
 public:
  RegionScan(std::size_t d, bool shadow) : Growing(d, Metric::inner_product, shadow) {}

  // The similarity to each of some items, given by ascending number; `chosen` null for all of them.
  void scores(const Items& items, const float* query, std::size_t nq, Match match,
              const std::int64_t* chosen, std::size_t count, std::size_t threads, float* out) const;

  // The k most similar items, best first, ties to the smaller number; -inf and -1 past the end.
  void search(const Items& items, const float* query, std::size_t nq, Match match, std::size_t k,
              std::size_t threads, float* similarities, std::int64_t* found) const;

 private:
  struct Task;
  struct Frame;
  class Total;
  Task task_of(const Items& items, const float* query, std::size_t nq, Match match) const;
  void score(const Task& task, const std::int64_t* chosen, std::size_t count, std::size_t threads,
             float* out) const;
  void add_all(const Task& task, const Frame& frame, std::vector<Total>& totals) const;
  void add_filtered(const Task& task, const Frame& frame, std::vector<Total>& totals) const;
  void bounds(const Task& task, std::size_t threads, float* low, float* high) const;
};

}  // namespace kf::scan
