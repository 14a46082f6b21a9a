#pragma once
// Matching of local features, and how well maps of the plane explain it.

#include "kernels/family.h"

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

#ifdef KF_LISTS
struct GeometryKernels {
#include "kernels/geometry.def"
};
#endif

}  // namespace kf
