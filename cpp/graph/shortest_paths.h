#pragma once
// How a query reached a node: the best path from its neighbours.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph/csr.h"

namespace kf::graph {

enum class PathKind {
  bottleneck,    // the weakest edge is as strong as can be; of these paths, one of fewest edges
  negative_log,  // least sum of -log similarity: the greatest product of similarities
  one_minus,     // least sum of 1 - similarity
};

// Where paths may begin, each with the weight of the step that leads there.
struct Sources {
  std::size_t count = 0;
  const std::int64_t* ids = nullptr;
  const float* weights = nullptr;
};

struct Path {
  std::vector<std::int64_t> ids;  // a source first, the target last; empty if there is no path
  std::vector<float> weights;     // of the step to each of them, the first that of the source
};

// Weights are similarities to the power gamma.
Path shortest_path(const Csr& graph, const Sources& sources, std::int64_t target, PathKind kind,
                   double gamma);

}  // namespace kf::graph
