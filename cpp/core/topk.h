#pragma once
// The k smallest (distance, id) pairs: nearer first, ties to the smaller id, so that neither the
// order of arrival nor the number of threads changes the answer.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace kf {

struct Neighbour {
  float distance;
  std::int64_t id;

  friend bool operator<(const Neighbour& a, const Neighbour& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
  }
};

// A bounded max-heap. `worst()` is the bound that a newcomer must beat.
class TopK {
 public:
  explicit TopK(std::size_t k) : k_(k) { heap_.reserve(k); }

  std::size_t capacity() const { return k_; }
  std::size_t size() const { return heap_.size(); }
  bool full() const { return heap_.size() == k_; }
  float worst() const {
    return full() ? heap_.front().distance : std::numeric_limits<float>::infinity();
  }

  void push(Neighbour item) {
    if (heap_.size() < k_) {
      heap_.push_back(item);
      std::push_heap(heap_.begin(), heap_.end());
    } else if (item < heap_.front()) {
      replace_top(item);
    }
  }

  void merge(const TopK& other) {
    for (const Neighbour& item : other.heap_) push(item);
  }

  // Ascending; missing places get +inf and -1. Leaves the heap empty.
  void write(float* distances, std::int64_t* ids) {
    std::sort(heap_.begin(), heap_.end());
    for (std::size_t i = 0; i < k_; ++i) {
      const bool there = i < heap_.size();
      distances[i] = there ? heap_[i].distance : std::numeric_limits<float>::infinity();
      ids[i] = there ? heap_[i].id : -1;
    }
    heap_.clear();
  }

 private:
  void replace_top(Neighbour item) {
    std::size_t hole = 0;
    for (;;) {
      std::size_t child = 2 * hole + 1;
      if (child >= k_) break;
      if (child + 1 < k_ && heap_[child] < heap_[child + 1]) ++child;
      if (!(item < heap_[child])) break;
      heap_[hole] = heap_[child];
      hole = child;
    }
    heap_[hole] = item;
  }

  std::size_t k_;
  std::vector<Neighbour> heap_;
};

}  // namespace kf
