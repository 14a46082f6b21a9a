#pragma once
// Which pairs of a tile of blocks may matter. Bytes along the few directions of most spread come
// first where they leave little, all dimensions' bytes second; float32 products where bytes let too
// much pass.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "neighbours/blocks.h"
#include "neighbours/byte_tile.h"
#include "neighbours/neighbour_lists.h"
#include "scan/directions.h"
#include "scan/exact.h"

namespace kf::neighbours {

// What a thread needs for one tile.
struct Tile {
  static constexpr std::size_t most = Blocks::size;

  float bounds[2][most];
  std::uint32_t hits[most * most];
  std::vector<std::pair<std::uint32_t, float>> kept;
  ByteTile first{most}, second{most};
  float thresholds[most], offsets[most], points[most], biases[most];
  Buffer<float> packed, rows;
  std::size_t packed_at = SIZE_MAX, skip_bytes = 0;
};

// Bytes of all rows, block by block.
struct BlockCodes {
  PairBytes bytes;
  Buffer<std::uint8_t> interleaved;
  std::vector<float> worst;  // the largest residual of each block, and of all
  float worst_of_all = 0;

  BlockCodes(const Rows& rows, const std::vector<std::uint32_t>& order, double error = 0);
};

class TileFilter {
 public:
  TileFilter(const Blocks& blocks, Filter wish);

  // Whether bounds say anything.
  bool sound() const { return floats_.has_value(); }
  const Reach& reach() const { return reach_; }
  // Bytes of all dimensions, or null.
  const BlockCodes* bytes() const { return bytes_ ? &*bytes_ : nullptr; }

  // How many directions to look along first, by what they leave of a sample of pairs at the bounds
  // reached by now.
  void choose_head(const NeighbourLists& lists);
  // What is looked at first, and vectors (n, d) as that knows them.
  const PairBytes& first_bytes() const { return first().bytes; }
  Buffer<float> along_head(const float* x, std::size_t n) const;

  // Writes the pairs to tile.hits, rows and columns of the tile. The points are a block's.
  std::size_t pairs(Tile& tile, const Side& queries, const Side& points) const;

 private:
  const BlockCodes& first() const { return head_ ? *head_ : *bytes_; }
  std::size_t by_bytes(Tile& tile, const Side& queries, const Side& points) const;
  std::size_t by_floats(Tile& tile, const Side& queries, const Side& points) const;

  const Blocks& blocks_;
  Reach reach_;
  std::optional<BlockCodes> bytes_, head_;  // all dimensions, and the directions of most spread
  std::optional<Directions> directions_;
  std::size_t head_size_ = 0;
  std::optional<PairFloats> floats_;
};

}  // namespace kf::neighbours
