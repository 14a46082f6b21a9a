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

// The same with where it came from; the id is looked up for ties and at the end alone.
struct Candidate {
  float distance;
  std::uint32_t segment;
  std::uint64_t row;
  const std::int64_t* id;

  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.distance < b.distance || (a.distance == b.distance && *a.id < *b.id);
  }
};

inline Neighbour neighbour_of(const Neighbour& item) { return item; }
inline Neighbour neighbour_of(const Candidate& item) { return {item.distance, *item.id}; }

// The k best, a max-heap, or all within a radius. `worst()` is the bound that a newcomer must beat.
template <class Item>
class Best {
 public:
  explicit Best(std::size_t k) : k_(k) {}
  static Best within(float radius) {
    Best all(0);
    all.within_ = true;
    all.radius_ = radius;
    return all;
  }

  // 0 for all within a radius.
  std::size_t capacity() const { return k_; }
  std::size_t size() const { return heap_.size(); }
  bool full() const { return heap_.size() == k_; }
  float worst() const {
    if (within_) return radius_;
    return full() ? heap_.front().distance : std::numeric_limits<float>::infinity();
  }

  void push(const Item& item) {
    if (within_) {
      if (item.distance <= radius_) heap_.push_back(item);
    } else if (heap_.size() < k_) {
      heap_.push_back(item);
      std::push_heap(heap_.begin(), heap_.end());
    } else if (item < heap_.front()) {
      replace_top(item);
    }
  }

  void merge(const Best& other) {
    for (const Item& item : other.heap_) push(item);
  }

  // In no order.
  const std::vector<Item>& items() const { return heap_; }

  // All, ascending. Leaves nothing.
  std::vector<Neighbour> take() {
    std::vector<Neighbour> all;
    all.reserve(heap_.size());
    for (const Item& item : heap_) all.push_back(neighbour_of(item));
    std::sort(all.begin(), all.end());
    heap_.clear();
    return all;
  }

  // Ascending; missing places get +inf and -1. Leaves the heap empty.
  void write(float* distances, std::int64_t* ids) {
    std::sort(heap_.begin(), heap_.end());
    for (std::size_t i = 0; i < k_; ++i) {
      const bool there = i < heap_.size();
      distances[i] = there ? heap_[i].distance : std::numeric_limits<float>::infinity();
      ids[i] = there ? neighbour_of(heap_[i]).id : -1;
    }
    heap_.clear();
  }

 private:
  void replace_top(const Item& item) {
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
  bool within_ = false;
  float radius_ = 0;
  std::vector<Item> heap_;
};

using TopK = Best<Neighbour>;

}  // namespace kf
