#include "scan/multi_sequence.h"

#include <algorithm>

namespace kf::scan {
namespace {

// Heaps of the standard library hold the largest on top.
bool later(const MultiSequence::Pair& a, const MultiSequence::Pair& b) {
  if (a.sum != b.sum) return a.sum > b.sum;
  return a.i != b.i ? a.i > b.i : a.j > b.j;
}

}  // namespace

void Ordered::start(const float* values, std::size_t n) {
  items_.resize(n);
  for (std::size_t i = 0; i < n; ++i) items_[i] = {values[i], static_cast<std::uint32_t>(i)};
  sorted_ = 0;
}

void Ordered::sort_beyond(std::size_t rank) {
  const std::size_t end =
      std::min(items_.size(), std::max({rank + 1, 2 * sorted_, std::size_t{64}}));
  const auto at = [&](std::size_t i) { return items_.begin() + static_cast<std::ptrdiff_t>(i); };
  if (end < items_.size()) std::nth_element(at(sorted_), at(end), items_.end());
  std::sort(at(sorted_), at(end));
  sorted_ = end;
}

void MultiSequence::start(Ordered& left, Ordered& right) {
  left_ = &left;
  right_ = &right;
  heap_.clear();
  visited_.clear();
  if (left.size() > 0 && right.size() > 0) push(0, 0);
}

void MultiSequence::push(std::uint32_t i, std::uint32_t j) {
  heap_.push_back({(*left_)[i].value + (*right_)[j].value, i, j});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

bool MultiSequence::next(Pair& pair) {
  if (heap_.empty()) return false;
  std::pop_heap(heap_.begin(), heap_.end(), later);
  pair = heap_.back();
  heap_.pop_back();
  const std::uint32_t i = pair.i, j = pair.j;
  if (i == visited_.size()) visited_.push_back(0);
  visited_[i] = j + 1;
  // A pair enters once both pairs before it have been visited.
  const bool below = i + 1 == visited_.size() ? j == 0 : visited_[i + 1] == j;
  if (i + 1 < left_->size() && below) push(i + 1, j);
  if (j + 1 < right_->size() && (i == 0 || visited_[i - 1] > j + 1)) push(i, j + 1);
  return true;
}

}  // namespace kf::scan
