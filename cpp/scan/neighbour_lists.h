#pragma once
// The k nearest others of many rows: heaps of eight bytes an entry, side by side.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/checked.h"

namespace kf::scan {

struct Link {
  float distance;
  std::int32_t id;

  friend bool operator<(const Link& a, const Link& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
  }
};

class NeighbourLists {
 public:
  NeighbourLists(std::size_t n, std::size_t k) : k_(k), links_(checked_mul(n, k)), counts_(n, 0) {}

  std::size_t k() const { return k_; }
  // What a newcomer may have at most.
  float bound(std::size_t row) const {
    return counts_[row] == k_ ? links_[row * k_].distance : std::numeric_limits<float>::infinity();
  }
  // Whoever is pushed is not in the list yet.
  bool push(std::size_t row, const Link& link) {
    Link* list = links_.data() + row * k_;
    if (counts_[row] < k_) {
      list[counts_[row]++] = link;
      if (counts_[row] == k_) std::make_heap(list, list + k_);
      return true;
    }
    if (!(link < list[0])) return false;
    std::size_t hole = 0;
    for (;;) {
      std::size_t child = 2 * hole + 1;
      if (child >= k_) break;
      if (child + 1 < k_ && list[child] < list[child + 1]) ++child;
      if (!(link < list[child])) break;
      list[hole] = list[child];
      hole = child;
    }
    list[hole] = link;
    return true;
  }
  // Ascending; missing places get +inf and -1. The list is no heap afterwards.
  void write(std::size_t row, float* distances, std::int32_t* ids) {
    Link* list = links_.data() + row * k_;
    std::sort(list, list + counts_[row]);
    for (std::size_t i = 0; i < k_; ++i) {
      const bool there = i < counts_[row];
      distances[i] = there ? list[i].distance : std::numeric_limits<float>::infinity();
      ids[i] = there ? list[i].id : -1;
    }
  }

 private:
  std::size_t k_;
  std::vector<Link> links_;
  std::vector<std::uint32_t> counts_;
};

}  // namespace kf::scan
