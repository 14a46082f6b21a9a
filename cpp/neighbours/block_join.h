#pragma once
// Neighbour lists of a set by tiles: blocks of near rows joined with blocks.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "neighbours/blocks.h"
#include "neighbours/neighbour_lists.h"
#include "neighbours/tile_filter.h"

namespace kf::neighbours {

class BlockJoin {
 public:
  // Lists of each row's k nearest in its block and the blocks nearest to it. rows.x stays with the
  // caller.
  BlockJoin(const Rows& rows, std::size_t k, Filter filter, std::size_t threads,
            std::uint64_t seed = 0);

  // Of all rows: exact.
  void join_all();
  // Of all rows in the `probes` blocks whose centres are nearest to the row, give or take a few.
  void join_nearest(std::size_t probes);

  // The row at each place, and its list: keys of distances and rows.
  const std::vector<std::uint32_t>& order() const { return blocks_.order(); }
  NeighbourLists& lists() { return lists_; }

 private:
  Side places(std::size_t begin, std::size_t end) const {
    return {all_places_.data() + begin, end - begin, true};
  }
  Side places(std::size_t b) const { return places(blocks_.begin(b), blocks_.end(b)); }
  bool joined(std::size_t a, std::size_t b) const;

  void within(std::size_t b);
  void begin_lists(Tile& tile, std::size_t b);
  float value_within(double distance, std::size_t place, std::size_t b) const;

  // Joins rows with those of a block.
  void join(Tile& tile, Side queries, Side points);
  template <class F>
  void by_block(const Side& places, F f);
  float read_bounds(Side& places, float* bounds);
  void push(Tile& tile, std::size_t found, const Side& queries, const Side& points);

  Rows rows_;
  std::size_t threads_;
  PairScorer scorer_;
  Blocks blocks_;
  TileFilter filter_;
  std::vector<std::uint32_t> all_places_;
  NeighbourLists lists_;
  std::vector<std::mutex> locks_;
  std::vector<std::uint64_t> near_;  // pairs of blocks that were joined at the start
};

}  // namespace kf::neighbours
