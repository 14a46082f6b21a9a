#pragma once
// What a query collects on its way through lists.

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

#include "core/spin_lock.h"
#include "core/topk.h"

namespace kf::lists {

// The best candidates of one query, or all within a radius: for one thread, or shared by several.
// Survivors of the filters are few: a spinning lock.
class alignas(64) Collector {
 public:
  explicit Collector(Best<Candidate> empty) : best_(std::move(empty)), bound_(best_.worst()) {}

  float bound() const { return bound_.load(std::memory_order_relaxed); }
  std::size_t wanted() const { return best_.capacity(); }
  void take(const Candidate& item) {
    if (shared_) {
      const std::lock_guard guard(lock_);
      push(item);
    } else {
      push(item);
    }
  }
  // From here on several threads take.
  void share() { shared_ = true; }

  Best<Candidate>& best() { return best_; }

 private:
  void push(const Candidate& item) {
    best_.push(item);
    bound_.store(best_.worst(), std::memory_order_relaxed);
  }

  Best<Candidate> best_;
  std::atomic<float> bound_;
  bool shared_ = false;
  SpinLock lock_;
};

// One a query.
using Collectors = std::deque<Collector>;

// The results of a group of queries as scan_range sees them, for the rows of one segment.
struct View {
  Collector* const* results;
  std::uint32_t segment;

  struct At {
    Collector& result;
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
