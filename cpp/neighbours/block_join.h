#pragma once
// Neighbour lists of a set by tiles: rows in an order in which near ones stand together, cut into
// blocks, and blocks joined with blocks.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "neighbours/directions.h"
#include "neighbours/neighbour_lists.h"
#include "neighbours/pair_filter.h"
#include "scan/exact.h"

namespace kf::neighbours {

class BlockJoin {
 public:
  static constexpr std::size_t block = 512;

  // Lists of each row's k nearest in its block and the blocks nearest to it. rows.x stays with the
  // caller.
  BlockJoin(const Rows& rows, std::size_t k, Filter filter, std::size_t threads,
            std::uint64_t seed = 0);

  // Of all rows: exact.
  void join_all();
  // Of all rows in the `probes` blocks whose centres are nearest to the row, give or take a few.
  void join_nearest(std::size_t probes);

  // The row at each place, and its list: keys of distances and rows.
  const std::vector<std::uint32_t>& order() const { return order_; }
  NeighbourLists& lists() { return lists_; }

 private:
  // Bytes of all rows, block by block.
  struct Codes {
    PairBytes bytes;
    Buffer<std::uint8_t> interleaved;
    std::vector<float> worst;  // the largest residual of each block, and of all
    float worst_of_all = 0;

    Codes(const Rows& rows, const std::vector<std::uint32_t>& order, double error = 0);
  };
  // Bytes of the blocks' centres.
  struct Centres {
    Buffer<std::uint8_t> interleaved;
    Buffer<std::int32_t> bias;
  };
  // Rows of one side of a tile: at most `block`, at ascending places.
  struct Places {
    const std::uint32_t* at;
    std::size_t size;
    bool together;  // one behind the other

    std::uint32_t operator[](std::size_t i) const { return at[i]; }
    std::size_t padded(std::size_t unit) const { return (size + unit - 1) / unit * unit; }
  };
  struct ByteBounds;
  struct Tile;

  std::size_t begin_of(std::size_t b) const { return b * block; }
  std::size_t end_of(std::size_t b) const { return std::min(rows_.n, (b + 1) * block); }
  const float* row(std::size_t place) const { return rows_.x + order_[place] * rows_.d; }
  Places places(std::size_t begin, std::size_t end) const {
    return {all_places_.data() + begin, end - begin, true};
  }
  Places places(std::size_t b) const { return places(begin_of(b), end_of(b)); }
  static Tile& fresh_tile();

  void prepare(std::size_t b);
  void within(std::size_t b);
  void begin_lists(Tile& tile, std::size_t b);
  float value_within(double distance, std::size_t place, std::size_t b) const;
  std::vector<std::uint64_t> nearest_blocks() const;
  bool joined(std::size_t a, std::size_t b) const;
  void choose_head();

  const Codes& first_codes() const { return head_ ? *head_ : *bytes_; }
  Centres encode_centres() const;
  void choose_blocks(const Centres& centres, std::size_t from, std::size_t count,
                     std::size_t probes, std::vector<std::uint32_t>* wanted) const;

  // Joins rows with those of a block.
  void join(Tile& tile, const Places& queries, const Places& points);
  template <class F>
  void by_block(const Places& places, F f);
  float read_bounds(float* bounds, const Places& places);
  bool too_far(std::size_t a, std::size_t b, float worst) const;
  std::size_t filter(Tile& tile, const Places& queries, const Places& points) const;
  std::size_t by_bytes(Tile& tile, const Places& queries, const Places& points) const;
  void fill(ByteBounds& out, const Codes& codes, const Tile& tile, const Places& queries,
            std::size_t nq, const Places& points, std::size_t np) const;
  std::size_t by_floats(Tile& tile, const Places& queries, const Places& points) const;
  void push(Tile& tile, std::size_t found, const Places& queries, const Places& points);

  Rows rows_;
  std::size_t threads_;
  PairScorer scorer_;
  Reach reach_;
  std::vector<std::uint32_t> order_, all_places_;
  std::size_t blocks_;
  NeighbourLists lists_;
  std::vector<std::mutex> locks_;
  std::optional<Codes> bytes_, head_;  // all dimensions, and the directions of most spread
  std::optional<Directions> directions_;
  std::size_t head_size_ = 0;
  std::optional<PairFloats> floats_;
  std::vector<float> centres_;
  std::vector<double> radius_;
  std::vector<float> least_norm_;    // squared
  std::vector<std::uint64_t> near_;  // pairs a * blocks + b of blocks a < b joined at the start
};

}  // namespace kf::neighbours
