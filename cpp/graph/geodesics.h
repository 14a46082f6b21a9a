#pragma once
// Lengths of the shortest paths from many sources to all nodes: what Isomap is made of.

#include <cstddef>

#include "graph/csr.h"

namespace kf::graph {

// out (count, n): the length of the shortest path from each side's nodes, whose values are the
// lengths at which paths begin; infinity where there is none. Weights are lengths >= 0, equal in
// both directions. A length is the float32 sum of its steps in the order of the path, the least
// over all paths: the bits that Dijkstra's algorithm gives, for any number of threads.
void geodesics(const Csr& graph, const RightSides& sources, float* out);

}  // namespace kf::graph
