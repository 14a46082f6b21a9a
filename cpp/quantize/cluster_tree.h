#pragma once
// Clusters of clusters (Nister and Stewenius, CVPR 2006): the nearest leaves by descending.

#include <cstddef>
#include <cstdint>

namespace kf::quantize {

// Level l has branch^(l + 1) centroids, the last level the leaves; the children of number j are the
// numbers branch * j to branch * (j + 1) of the next level.
struct ClusterTree {
  std::size_t d = 0, branch = 0, depth = 0;
  const float* inner = nullptr;   // the levels before the last, one after the other
  const float* leaves = nullptr;  // (branch^depth, d)
};

// The m nearest leaves of each of n points among the children of the `paths` nearest nodes of the
// level before, found in the same way (Schindler, Brown and Szeliski, CVPR 2007): canonical squared
// distances, ties to the smaller number; +inf and -1 where there are fewer.
void descend(const ClusterTree& tree, const float* points, std::size_t n, std::size_t paths,
             std::size_t m, std::size_t threads, float* distances, std::int64_t* leaves);

}  // namespace kf::quantize
