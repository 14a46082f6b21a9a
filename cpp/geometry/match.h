#pragma once
// Tentative correspondences: features of two images whose 8-bit descriptors are nearest to each
// other.
//
// Distances are squared Euclidean distances of codes, halved, with the halves of odd squared
// lengths rounded down: whole numbers, the same on every machine.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/buffer.h"

namespace kf::geometry {

using Pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

// An image's codes with what matching needs of them.
class Coded {
 public:
  // codes: (n, d); positions: (n, 2). Features of one position count as one place.
  Coded(const std::uint8_t* codes, std::size_t n, std::size_t d, const float* positions);

  std::size_t size() const { return n_; }
  std::size_t dim() const { return d_; }
  std::size_t padded() const { return padded_; }
  const std::uint8_t* row(std::size_t i) const { return codes_.data() + i * padded_; }
  std::int32_t half_norm(std::size_t i) const { return half_norms_[i]; }
  std::int32_t sum(std::size_t i) const { return sums_[i]; }
  // The next feature at the same place, round and round.
  std::uint32_t neighbour(std::size_t i) const { return next_[i]; }

 private:
  std::size_t n_, d_, padded_;
  Buffer<std::uint8_t> codes_;  // (n, padded)
  std::vector<std::int32_t> half_norms_, sums_;
  std::vector<std::uint32_t> next_;
};

struct MatchOptions {
  double ratio;  // the nearest must be nearer than this share of the nearest elsewhere; 1: no test
  bool mutual;   // each must be the other's nearest
};

// What is prepared of a query once for many photos.
class Asking {
 public:
  explicit Asking(const Coded& query);
  // Ascending; each feature of either image occurs at most once.
  Pairs match(const Coded& photo, const MatchOptions& options) const;
  // Among the features that share a word alone: words (n) of each, ascending rows per word; words
  // that more than `most` features of either image have say nothing and are passed over.
  Pairs match_words(const Coded& photo, const std::int64_t* query_words,
                    const std::int64_t* photo_words, std::size_t multiple, std::size_t most,
                    const MatchOptions& options) const;

 private:
  const Coded& query_;
  std::size_t rows_;             // padded to tiles
  Buffer<std::int8_t> shifted_;  // codes - 128, as products of bytes want them
  std::vector<std::int32_t> half_norms_;
};

}  // namespace kf::geometry
