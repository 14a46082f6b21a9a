#pragma once
// Neighbour lists to a symmetric graph.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kf::graph {

// Lists of `width` ids and weights, nearest first; -1 where a list is short.
template <class Id>
struct NeighbourLists {
  std::size_t n = 0, width = 0;
  const Id* ids = nullptr;
  const float* weights = nullptr;
};

struct OwnedCsr {
  std::vector<std::int64_t> starts;
  std::vector<std::int32_t> neighbours;
  std::vector<float> weights;
};

// Cuts each list at its first k ids other than the row itself, then keeps the edge i-j where both
// lists hold the other (reciprocal) or either does; its weight is the larger of the two. Weights
// that are not positive make no edge. Neighbours ascend in each row. Throws InvalidArgument for an
// id outside the graph or twice in a list.
template <class Id>
OwnedCsr symmetrize(const NeighbourLists<Id>& lists, std::size_t k, bool reciprocal);

}  // namespace kf::graph
