#pragma once
// A walk over the blocks of a posting list.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/words.h"
#include "words/postings.h"

namespace kf::words {

// Bits of a gap or a count, at most.
constexpr unsigned widest = 24;

inline std::size_t packed_size(std::size_t n, unsigned bits) { return (n * bits + 7) / 8; }

// Walks over a list's blocks.
class Blocks {
 public:
  Blocks(const Postings& lists, std::size_t list)
      : table_(kernels<WordKernels>()),
        at_(lists.bytes + lists.offsets[list]),
        end_(lists.bytes + lists.offsets[list + 1]),
        left_(lists.starts[list + 1] - lists.starts[list]),
        first_(lists.starts[list]) {}

  // To the next block; false after the last, and where the bytes break off.
  bool next() {
    first_ += n_;
    left_ -= n_;
    if (!left_ || end_ - at_ < 2) return false;
    n_ = std::min(left_, posting_block);
    gap_bits_ = at_[0], count_bits_ = at_[1];
    const std::size_t gaps = packed_size(n_, gap_bits_), counts = packed_size(n_, count_bits_);
    if (gap_bits_ > widest || count_bits_ > widest ||
        static_cast<std::size_t>(end_ - at_ - 2) < gaps + counts)
      return false;
    gaps_ = at_ + 2;
    counts_at_ = gaps_ + gaps;
    at_ = counts_at_ + counts;
    return true;
  }
  // Blocks follow one another: the ids of all before must have been unpacked.
  const std::uint32_t* ids() {
    table_.unpack_ids(gaps_, n_, gap_bits_, last_, posting_rows - 1, ids_);
    last_ = ids_[n_ - 1];
    return ids_;
  }
  // Counts less one; null where all are.
  const std::uint32_t* more() {
    if (!count_bits_) return nullptr;
    table_.unpack_bits(counts_at_, n_, count_bits_, more_);
    return more_;
  }
  unsigned count_bits() const { return count_bits_; }
  std::size_t n() const { return n_; }
  std::size_t first() const { return first_; }  // number of the first posting

 private:
  const WordKernels& table_;
  const std::uint8_t *at_, *end_, *gaps_ = nullptr, *counts_at_ = nullptr;
  std::size_t left_, first_, n_ = 0;
  std::uint32_t last_ = 0;
  unsigned gap_bits_ = 0, count_bits_ = 0;
  alignas(64) std::uint32_t ids_[posting_block];
  alignas(64) std::uint32_t more_[posting_block];
};

}  // namespace kf::words
