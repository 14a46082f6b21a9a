#pragma once
// The multi-sequence algorithm: pairs of two ascending sequences by ascending sum, each once, ties
// by ranks (Babenko & Lempitsky, CVPR 2012, algorithm 1).

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kf::scan {

// Numbers in ascending order, ties by position; sorted as far as they are asked for.
class Ordered {
 public:
  void start(const float* values, std::size_t n);
  std::size_t size() const { return items_.size(); }
  struct Item {
    float value;
    std::uint32_t at;
    friend bool operator<(const Item& a, const Item& b) {
      return a.value < b.value || (a.value == b.value && a.at < b.at);
    }
  };
  const Item& operator[](std::size_t rank) {
    if (rank >= sorted_) sort_beyond(rank);
    return items_[rank];
  }

 private:
  void sort_beyond(std::size_t rank);
  std::vector<Item> items_;
  std::size_t sorted_ = 0;
};

class MultiSequence {
 public:
  // The two sequences must stay until the last next().
  void start(Ordered& left, Ordered& right);
  struct Pair {
    float sum;
    std::uint32_t i, j;  // ranks
  };
  // False when all pairs have been visited.
  bool next(Pair& pair);

 private:
  void push(std::uint32_t i, std::uint32_t j);
  Ordered* left_ = nullptr;
  Ordered* right_ = nullptr;
  std::vector<Pair> heap_;
  std::vector<std::uint32_t> visited_;  // pairs visited in each row i: always the first ones
};

}  // namespace kf::scan
