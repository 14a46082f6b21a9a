#pragma once
// Which blocks are nearest to rows, by the bytes of their centres.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "neighbours/tile_filter.h"

namespace kf::neighbours {

class BlockProbe {
 public:
  BlockProbe(const Blocks& blocks, const TileFilter& filter);

  // The `probes` nearest of the rows [from, from + count), at most 16: found[i], ties included.
  void nearest(std::size_t from, std::size_t count, std::size_t probes,
               std::vector<std::uint32_t>* found) const;

 private:
  const PairBytes& bytes_;
  std::size_t blocks_;
  // Of the centres.
  Buffer<std::uint8_t> interleaved_;
  Buffer<std::int32_t> bias_;
};

}  // namespace kf::neighbours
