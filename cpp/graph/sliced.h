#pragma once
// A graph as solvers read it: nodes in an order that keeps neighbours together, rows in slices of
// sixteen side by side, few bytes an entry.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/huge.h"
#include "graph/csr.h"
#include "kernels/sliced.h"

namespace kf::graph {

// How weights are stored: halves round each to 11 bits (at most 2^-11 of itself above 2^-14).
enum class Storage { floats, halves };

// Made once a graph; any number of threads may use it at once. A vector over the graph has `rows`
// entries: node i stands at places()[i], places that no node has hold 0.
//
// Rows come in windows, columns in blocks whose part of one vector stays in the second cache. Of
// each block and window the rows that have entries there are sorted by their number. A row's sum
// runs by rising column, whatever the blocks.
class Sliced {
 public:
  Sliced(const Csr& graph, Storage storage);

  std::size_t nodes() const { return place_.size(); }
  std::size_t rows() const { return rows_; }
  std::size_t windows() const { return (rows_ + window - 1) / window; }
  std::size_t blocks() const { return blocks_; }
  const std::vector<std::int32_t>& places() const { return place_; }
  std::size_t bytes() const;
  std::size_t entries() const { return static_cast<std::size_t>(starts_.back()); }
  // First and last slice of a window's rows in a block of columns.
  std::pair<std::size_t, std::size_t> slices(std::size_t block, std::size_t w) const {
    const std::size_t at = block * windows() + w;
    return {first_[at], first_[at + 1]};
  }
  SlicedView view() const;

  static constexpr std::size_t lanes = 16, window = 1024, block_columns = std::size_t{1} << 18;

 private:
  struct Run;
  std::vector<Run> runs(const Csr& graph, std::size_t w) const;
  void fill(const Csr& graph, std::size_t w);

  Storage storage_;
  std::size_t rows_, blocks_;
  std::vector<std::int32_t> order_, place_;
  std::vector<std::size_t> first_;
  std::vector<std::int64_t> starts_;
  std::vector<std::int32_t> bases_;
  std::vector<std::uint8_t> broad_;
  HugeBuffer<std::uint16_t> row_of_, columns_;
  HugeBuffer<std::uint32_t> above_;
  HugeBuffer<float> floats_;
  HugeBuffer<std::uint16_t> halves_;
};

// out (count, nodes) := W x for each row of x (count, nodes).
void multiply(const Sliced& graph, const float* x, std::size_t count, float* out);

}  // namespace kf::graph
