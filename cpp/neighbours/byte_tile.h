#pragma once
// A tile of pairs in bytes: what its rows must reach, and the filter with the room that it takes.

#include <cstddef>
#include <cstdint>

#include "core/buffer.h"
#include "neighbours/pair_filter.h"

namespace kf::neighbours {

// Rows of one side of a tile, at ascending places, with the bounds that they have.
struct Side {
  const std::uint32_t* at;
  std::size_t size;
  bool together;  // one behind the other, in one block
  const float* bounds = nullptr;

  std::uint32_t operator[](std::size_t i) const { return at[i]; }
  std::size_t padded(std::size_t unit) const { return (size + unit - 1) / unit * unit; }
};

class ByteTile {
 public:
  // At most so many rows on either side, a multiple of 32.
  explicit ByteTile(std::size_t most)
      : thresholds_(most), offsets_(most), points_(most), bias_(most) {}

  // What rows must reach; of_queries, of_points: the largest residual of either side.
  void fill(const PairBytes& bytes, const Reach& reach, const Side& queries, const Side& points,
            double of_queries, double of_points);
  // The codes of the queries in one piece, zeros behind them.
  const std::int8_t* gather(const PairBytes& bytes, const Side& queries);

  // Writes the pairs that may matter, query << 16 | point, and returns how many; points
  // interleaved.
  std::size_t filter(const std::int8_t* queries, const std::uint8_t* points, std::uint32_t* hits);
  // Those of them that still may; points row by row.
  std::size_t keep(const std::int8_t* queries, const std::int8_t* points, std::uint32_t* hits,
                   std::size_t found) const;

 private:
  std::size_t nq_ = 0, np_ = 0, padded_d_ = 0;
  Buffer<std::int32_t> thresholds_, offsets_, points_, bias_;
  Buffer<std::int8_t> codes_;
  Buffer<std::int16_t> scratch_;
};

}  // namespace kf::neighbours
