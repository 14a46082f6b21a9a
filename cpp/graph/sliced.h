#pragma once
// A graph as solvers read it: nodes in an order that keeps neighbours together, rows in slices of
// sixteen side by side, few bytes an entry.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "graph/csr.h"
#include "kernels/sliced.h"

namespace kf::graph {

// How weights are stored: halves round each to 11 bits (at most 2^-11 of itself above 2^-14).
enum class Storage { floats, halves };

// Made once a graph; any number of threads may use it at once. A vector over the graph has `rows`
// entries: node i stands at places()[i], places that no node has hold 0.
class Sliced {
 public:
  Sliced(const Csr& graph, Storage storage);

  std::size_t nodes() const { return place_.size(); }
  std::size_t rows() const { return lanes * (starts_.size() - 1); }
  const std::vector<std::int32_t>& places() const { return place_; }
  std::size_t bytes() const;
  std::size_t entries() const { return static_cast<std::size_t>(starts_.back()); }
  SlicedView view() const;

  static constexpr std::size_t lanes = 16;

 private:
  void fill(const Csr& graph, const std::vector<std::int32_t>& order);

  std::vector<std::int32_t> place_, bases_;
  std::vector<std::int64_t> starts_, places_;
  Buffer<std::uint16_t> columns_;
  Buffer<float> floats_;
  Buffer<std::uint16_t> halves_;
  Storage storage_;
};

// out (count, nodes) := W x for each row of x (count, nodes).
void multiply(const Sliced& graph, const float* x, std::size_t count, float* out);

}  // namespace kf::graph
