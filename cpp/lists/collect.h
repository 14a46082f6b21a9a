#pragma once
// What a query collects on its way through lists: the k nearest, or all within a radius.

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/spin_lock.h"
#include "core/topk.h"

namespace kf::lists {

struct NearestOf {
  Best<Candidate> heap;
  float bound() const { return heap.worst(); }
  std::size_t wanted() const { return heap.capacity(); }
  void take(const Candidate& item) { heap.push(item); }
};
struct AllWithin {
  float radius;
  std::vector<Candidate> found;
  float bound() const { return radius; }
  static std::size_t wanted() { return 0; }
  void take(const Candidate& item) {
    if (item.distance <= radius) found.push_back(item);
  }
};

// What several threads collect for one query. Survivors of the filters are few: a spinning lock.
template <class Collector>
class Shared {
 public:
  explicit Shared(Collector empty) : own_(std::move(empty)), limit_(own_.bound()) {}

  float bound() const { return limit_.load(std::memory_order_relaxed); }
  std::size_t wanted() const { return own_.wanted(); }
  void take(const Candidate& item) {
    const std::lock_guard guard(lock_);
    own_.take(item);
    limit_.store(own_.bound(), std::memory_order_relaxed);
  }

  // All results, shared, and back again.
  static std::vector<std::unique_ptr<Shared>> of(std::vector<Collector>& results) {
    std::vector<std::unique_ptr<Shared>> shared;
    for (Collector& result : results) shared.push_back(std::make_unique<Shared>(std::move(result)));
    return shared;
  }
  static void back(std::vector<std::unique_ptr<Shared>>& shared, std::vector<Collector>& results) {
    for (std::size_t q = 0; q < results.size(); ++q) results[q] = std::move(shared[q]->own_);
  }

 private:
  Collector own_;
  std::atomic<float> limit_;
  SpinLock lock_;
};

// The results of a group of queries as scan_range sees them, for the rows of one segment.
template <class Result>
struct View {
  Result* const* results;
  std::uint32_t segment;

  struct At {
    Result& result;
    std::uint32_t segment;
    float bound() const { return result.bound(); }
    static bool knows(std::size_t) { return false; }
    template <class Scorer>
    void take(const Scorer& scorer, float value, std::size_t row) {
      result.take(Candidate{value, segment, row, scorer.id(row)});
    }
  };
  At operator[](std::size_t q) const { return {*results[q], segment}; }
};

}  // namespace kf::lists
