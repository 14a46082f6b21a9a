#pragma once
// The kernels' common declaration: one table of function pointers per level, generated from
// list.def. Kernel files include this, <cstddef>, <cstdint>, simd/vec.h and intrinsics; nothing of
// the standard library's templates, which the linker could merge into code for older processors.

#include <cstddef>
#include <cstdint>

#ifndef KF_LEVEL
#define KF_LEVEL none
#endif

namespace kf {

// Correspondences from (ax, ay) to (bx, by), n of each, and the squared ratio of their features'
// scales.
struct TransferSet {
  const float *ax, *ay, *bx, *by, *area;
  std::size_t n;
};

// A map of the plane (row-major 3 x 3) with its inverse. Correspondences fit whose ratio of areas,
// where the map is projective times the cube of its denominator, lies between both limits.
struct TransferMap {
  float map[9], inverse[9];
  float least_area, most_area;
  bool similarity;  // of positive determinant
};

// Product codes that lie row by row: m subquantizers of 8 or 4 bits, then perhaps bytes that belong
// to something else.
struct ProductRows {
  const std::uint8_t* codes;  // (n, width)
  std::size_t n, width, m, bits;
};

// Codebooks rounded to bytes, for the 8-bit filter: pieces of `piece` dimensions, a multiple of 4.
struct ByteCodebooks {
  const std::uint8_t* codebooks;  // (m, k, piece)
  const std::int32_t* norms;  // (m, k): squared norms in code units, or null where the bias is 0
  std::size_t m, bits, piece, width, padded_d;
};

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

// A kernel's own file sees the types alone: a new line in the list recompiles one file a level.
#if !defined(KF_LEVEL_RANK) || defined(KF_TABLE)

struct KernelTable {
#define KF_KERNEL(ret, name, ...) ret (*name)(__VA_ARGS__);
#include "kernels/list.def"
#undef KF_KERNEL
};

// The table of the level in use. Take it once, outside loops.
const KernelTable& kernels();

#define KF_DECLARE_LEVEL(level)   \
  namespace level {               \
  extern const KernelTable table; \
  }
KF_DECLARE_LEVEL(baseline)
KF_DECLARE_LEVEL(avx2)
KF_DECLARE_LEVEL(avx512)
KF_DECLARE_LEVEL(avx512icl)
KF_DECLARE_LEVEL(avx512spr)
#undef KF_DECLARE_LEVEL

#ifdef KF_LEVEL_RANK
namespace KF_LEVEL {
#define KF_KERNEL(ret, name, ...) ret name(__VA_ARGS__);
#include "kernels/list.def"
#undef KF_KERNEL
}  // namespace KF_LEVEL
#endif

#endif

}  // namespace kf
