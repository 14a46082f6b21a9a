#pragma once
// k-d trees.

#include "kernels/family.h"

namespace kf {

// A k-d tree whose binary splits are taken four levels at a time: a node has up to 16 children, a
// leaf `blocks` buckets of 16 points. Level 0 are the leaves, level `levels` is the root alone;
// node j has the children 16 j, 16 j + 1, ... of the level below.
constexpr std::size_t kd_levels = 9;
template <class T>
struct KdView {
  const T* boxes;            // a node: (d, 2, 16), least and largest coordinates of each child
  const T* points;           // a bucket: (d, 16), infinite where there are no points
  const std::uint32_t* ids;  // of all points, in the order of the buckets
  std::size_t n, d, blocks, levels;
  std::size_t first[kd_levels];  // node 0 of each level from 1 on, counted in nodes of `boxes`
  std::size_t count[kd_levels];  // nodes of each level, leaves at 0
};

enum class KdNorm { l1, l2, max };

// Distances are sums of squares for l2. A point answers if it is nearer than `bound`; a box is
// passed over unless its distance is at most `shrink` times the k-th best.
template <class T>
struct KdNearest {
  const T* queries;            // (., d)
  const std::uint32_t* order;  // rows of queries, and of the results
  std::size_t count, k;
  KdNorm norm;
  T bound, shrink;
  T* distances;           // (., k) ascending; what is missing has the distance `bound`
  std::int64_t* ids;      // (., k); what is missing has the id -1
  std::uint32_t* leaves;  // (.), or null: how many leaves were scanned
};

// The points of a ball. Boxes beyond `near` are passed over, boxes that end within `far` are taken
// whole, points between them answer if their distance is at most `radius`.
template <class T>
struct KdBall {
  const T* query;
  KdNorm norm;
  T radius, near, far;
  std::size_t first;     // buckets' positions before this one do not answer
  std::uint32_t* found;  // positions
  std::size_t room;      // of `found`
};

#ifdef KF_LISTS
struct TreeKernels {
#include "kernels/tree.def"
};
#endif

}  // namespace kf
