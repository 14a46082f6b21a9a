#pragma once
// The k nearest others of many rows: sorted lists of keys of eight bytes, side by side.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/buffer.h"
#include "core/checked.h"
#include "core/threads.h"
#include "kernels/pairs.h"

namespace kf::neighbours {

// A distance and 32 bits more as one number: ascending by distance, then by the bits.
inline std::uint64_t key_of(float distance, std::uint32_t low) {
  const auto bits = std::bit_cast<std::uint32_t>(distance + 0.0f);  // -0 is 0
  const std::uint32_t ordered = bits >> 31 ? ~bits : bits | 0x80000000u;
  return static_cast<std::uint64_t>(ordered) << 32 | low;
}

inline float distance_of(std::uint64_t key) {
  const auto ordered = static_cast<std::uint32_t>(key >> 32);
  return std::bit_cast<float>(ordered >> 31 ? ordered & 0x7fffffffu : ~ordered);
}

// Larger than that of any distance.
inline constexpr std::uint64_t no_key = std::numeric_limits<std::uint64_t>::max();

class NeighbourLists {
 public:
  NeighbourLists(std::size_t n, std::size_t k)
      : k_(k),
        stride_((k + 7) / 8 * 8),
        insert_(kernels<PairKernels>().insert_sorted),
        keys_(checked_mul(n, stride_), no_key) {}

  std::size_t k() const { return k_; }
  std::uint64_t* begin(std::size_t row) { return keys_.data() + row * stride_; }
  const std::uint64_t* begin(std::size_t row) const { return keys_.data() + row * stride_; }
  std::size_t count(std::size_t row) const {
    return static_cast<std::size_t>(std::lower_bound(begin(row), begin(row) + k_, no_key) -
                                    begin(row));
  }
  // What a newcomer may have at most.
  float bound(std::size_t row) const {
    const std::uint64_t last = begin(row)[k_ - 1];
    return last == no_key ? std::numeric_limits<float>::infinity() : distance_of(last);
  }
  // Whether it was new and near enough.
  bool push(std::size_t row, float distance, std::uint32_t low) {
    const std::uint64_t key = key_of(distance, low);
    std::uint64_t* keys = begin(row);
    return key < keys[k_ - 1] && insert_(keys, stride_, key, ignored_);
  }

  // Other low bits, of which some may not tell neighbours apart.
  template <class F>
  void relabel(F low, std::uint64_t ignored) {
    ignored_ = ignored;
    parallel_for(keys_.size() / stride_, 1024, [&](std::size_t first, std::size_t last) {
      for (std::size_t row = first; row < last; ++row) {
        std::uint64_t* keys = begin(row);
        for (std::size_t i = 0; i < k_ && keys[i] != no_key; ++i)
          keys[i] = (keys[i] >> 32 << 32) | low(static_cast<std::uint32_t>(keys[i]));
        std::sort(keys, keys + k_);
        std::fill(keys + k_, keys + stride_, no_key);
      }
    });
  }

 private:
  std::size_t k_, stride_;
  std::uint64_t ignored_ = 0;
  bool (*insert_)(std::uint64_t*, std::size_t, std::uint64_t, std::uint64_t);
  Buffer<std::uint64_t> keys_;
};

}  // namespace kf::neighbours
