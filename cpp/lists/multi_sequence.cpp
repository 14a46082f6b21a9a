#include "lists/multi_sequence.h"

#include <algorithm>

#include "core/error.h"

namespace kf::lists {

void Ordered::start(const float* values, std::size_t n) {
  if (n > most) throw InvalidArgument("values: expected at most 65536");
  keys_.resize(n);
  for (std::size_t i = 0; i < n; ++i)
    keys_[i] = FloatKey::of(values[i], static_cast<std::uint32_t>(i));
  sorted_ = 0;
}

void Ordered::sort_beyond(std::size_t rank) {
  const std::size_t end =
      std::min(keys_.size(), std::max({rank + 1, 2 * sorted_, std::size_t{64}}));
  const auto at = [&](std::size_t i) { return keys_.begin() + static_cast<std::ptrdiff_t>(i); };
  if (end < keys_.size()) std::nth_element(at(sorted_), at(end), keys_.end());
  std::sort(at(sorted_), at(end));
  sorted_ = end;
}

void MultiSequence::start(Ordered& left, Ordered& right) {
  left_ = &left;
  right_ = &right;
  heap_.clear();
  visited_.clear();
  if (left.size() > 0 && right.size() > 0) push(key(0, 0));
}

void MultiSequence::push(std::uint64_t key) {
  heap_.push_back(key);
  std::size_t hole = heap_.size() - 1;
  while (hole > 0 && key < heap_[(hole - 1) / 2]) {
    heap_[hole] = heap_[(hole - 1) / 2];
    hole = (hole - 1) / 2;
  }
  heap_[hole] = key;
}

void MultiSequence::replace_top(std::uint64_t key) {
  const std::size_t n = heap_.size();
  std::size_t hole = 0;
  for (std::size_t child = 1; child < n; child = 2 * hole + 1) {
    if (child + 1 < n) child += heap_[child + 1] < heap_[child];
    if (heap_[child] >= key) break;
    heap_[hole] = heap_[child];
    hole = child;
  }
  heap_[hole] = key;
}

bool MultiSequence::next(Pair& pair) {
  if (heap_.empty()) return false;
  const std::uint64_t top = heap_.front();
  const auto ranks = static_cast<std::uint32_t>(top);
  const std::uint32_t i = ranks >> 16, j = ranks & 0xffff;
  pair = {FloatKey::value(top), i, j};
  if (i == visited_.size()) visited_.push_back(0);
  visited_[i] = j + 1;
  // A pair enters once both pairs before it have been visited.
  const bool free = i + 1 == visited_.size() ? j == 0 : visited_[i + 1] == j;
  const bool below = i + 1 < left_->size() && free;
  const bool beside = j + 1 < right_->size() && (i == 0 || visited_[i - 1] > j + 1);
  if (below) {
    replace_top(key(i + 1, j));
    if (beside) push(key(i, j + 1));
  } else if (beside) {
    replace_top(key(i, j + 1));
  } else {
    const std::uint64_t last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) replace_top(last);
  }
  return true;
}

}  // namespace kf::lists
