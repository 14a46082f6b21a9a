#pragma once
// The multi-sequence algorithm: pairs of two ascending sequences by ascending sum, each once, ties
// by ranks (Babenko & Lempitsky, CVPR 2012, algorithm 1).

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace kf::lists {

// A float and 32 bits as one integer in the order of the float, ties by the bits: one comparison
// instead of two.
struct FloatKey {
  static std::uint64_t of(float value, std::uint32_t rest) {
    // 0 and -0 are equal; negative floats run backwards.
    const auto bits = std::bit_cast<std::uint32_t>(value + 0.0f);
    const std::uint32_t ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return static_cast<std::uint64_t>(ordered) << 32 | rest;
  }
  static float value(std::uint64_t key) {
    const auto ordered = static_cast<std::uint32_t>(key >> 32);
    return std::bit_cast<float>(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
  }
};

// Numbers in ascending order, ties by position; sorted as far as they are asked for.
class Ordered {
 public:
  static constexpr std::size_t most = 65536;

  // At most `most` numbers.
  void start(const float* values, std::size_t n);
  std::size_t size() const { return keys_.size(); }
  float value(std::size_t rank) { return FloatKey::value(key(rank)); }
  std::uint32_t at(std::size_t rank) { return static_cast<std::uint32_t>(key(rank)); }

 private:
  std::uint64_t key(std::size_t rank) {
    if (rank >= sorted_) sort_beyond(rank);
    return keys_[rank];
  }
  void sort_beyond(std::size_t rank);
  std::vector<std::uint64_t> keys_;
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
  std::uint64_t key(std::uint32_t i, std::uint32_t j) {
    return FloatKey::of(left_->value(i) + right_->value(j), i << 16 | j);
  }
  void push(std::uint64_t key);
  void replace_top(std::uint64_t key);
  Ordered* left_ = nullptr;
  Ordered* right_ = nullptr;
  std::vector<std::uint64_t> heap_;     // the smallest on top
  std::vector<std::uint32_t> visited_;  // pairs visited in each row i: always the first ones
};

}  // namespace kf::lists
